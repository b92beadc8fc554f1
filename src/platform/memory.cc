#include "platform/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace pare {

// getrusage counts what the process was before exec as well (a large parent after fork), so it is
// only the second choice.
int64_t PeakRssBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoll(line.c_str() + 6, nullptr, 10) * 1024;
  }
  rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

AlignedBytes AllocateAligned(size_t bytes) noexcept {
  constexpr size_t kHuge = size_t{2} << 20, kLine = 64;
  const size_t alignment = bytes >= kHuge ? kHuge : kLine;
  if (bytes > PTRDIFF_MAX - alignment) return nullptr;
  // aligned_alloc wants a multiple; the tail of a huge block stays untouched, and so unused.
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* block = std::aligned_alloc(alignment, rounded ? rounded : alignment);
  if (block && alignment == kHuge)
    madvise(block, rounded, MADV_HUGEPAGE);  // advice: may be refused
  return AlignedBytes(static_cast<std::byte*>(block));
}

}  // namespace pare
