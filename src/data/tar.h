// The files in a tar archive (ustar, GNU and pax), found without unpacking.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace pare::data {

struct TarEntry {
  std::string name;
  uint64_t offset;  // of the content in the archive
  uint64_t size;
};

// Regular files only, in the order of the archive.
Result<std::vector<TarEntry>> ListTar(std::span<const std::byte> bytes);

}  // namespace pare::data
