// Zip archives, as far as .npz needs them: members stored or deflated, zip64 sizes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "platform/file.h"

namespace pare::data {

struct ZipEntry {
  std::string name;
  uint16_t method;  // 0 = stored, 8 = deflated
  uint32_t crc;
  uint64_t size;                      // unpacked
  std::span<const std::byte> packed;  // in the archive
};

Result<std::vector<ZipEntry>> ListZip(std::span<const std::byte> bytes);

// The content of a deflated entry into `out` of entry.size bytes; checks the checksum.
Status Inflate(const ZipEntry& entry, std::span<std::byte> out);

// Whether the bytes of a stored entry are those that were written.
Status CheckStored(const ZipEntry& entry);

// Writes stored members one after the other; the content of each begins at a multiple of 64.
class ZipWriter {
 public:
  explicit ZipWriter(AtomicFile& file) : file_(file) {}
  // The content is the head, then the parts of the body.
  Status Add(const std::string& name, std::span<const std::byte> head,
             std::span<const std::span<const std::byte>> body);
  Status Finish();  // the directory; doesn't commit the file

 private:
  struct Written {
    std::string name;
    uint32_t crc;
    uint64_t size;
    uint64_t offset;
  };
  AtomicFile& file_;
  std::vector<Written> written_;
};

}  // namespace pare::data
