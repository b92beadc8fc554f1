// Memory of the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace pare {

// The most that was ever resident (VmHWM); 0 where the system doesn't say.
int64_t PeakRssBytes();

struct FreeAligned {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};
using AlignedBytes = std::unique_ptr<std::byte[], FreeAligned>;

// Uninitialised, aligned to 64 bytes; blocks of 2 MB and more are offered to the system as huge
// pages. Null where memory is short.
AlignedBytes AllocateAligned(size_t bytes) noexcept;

}  // namespace pare
