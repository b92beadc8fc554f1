#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/transpose/transpose-inl.h"

namespace pare::kernels {

extern constexpr TransposeKernel transpose_neon = neon::kTransposeKernel;

}  // namespace pare::kernels
