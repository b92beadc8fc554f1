#include "base/aligned_bytes.h"

#include <sys/mman.h>

#include <cstdint>

namespace pare {

AlignedBytes AllocateAligned(size_t bytes) noexcept {
  constexpr size_t kHuge = size_t{2} << 20, kLine = 64;
  const size_t alignment = bytes >= kHuge ? kHuge : kLine;
  if (bytes > PTRDIFF_MAX - alignment) return nullptr;
  void* block = nullptr;
  if (posix_memalign(&block, alignment, bytes ? bytes : 1) != 0) return nullptr;
  // The rest stays in small pages: a huge one for it would take memory that nobody uses. It is
  // advice, and may be refused.
  if (bytes >= kHuge) madvise(block, bytes / kHuge * kHuge, MADV_HUGEPAGE);
  return AlignedBytes(static_cast<std::byte*>(block));
}

}  // namespace pare
