// Memory for tensors and arenas.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace pare {

struct FreeAligned {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};
using AlignedBytes = std::unique_ptr<std::byte[], FreeAligned>;

// Uninitialised, aligned to 64 bytes; blocks of 2 MB and more are offered to the system as huge
// pages. Null where memory is short.
AlignedBytes AllocateAligned(size_t bytes) noexcept;

}  // namespace pare
