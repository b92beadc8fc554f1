#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/transpose/transpose-inl.h"

namespace pare::kernels {

extern constexpr TransposeKernel transpose_avx2 = avx2::kTransposeKernel;

}  // namespace pare::kernels
