#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/reduce/reduce-inl.h"

namespace pare::kernels {

extern constexpr ReduceKernel reduce_f32_neon = neon::kReduceKernel;

}  // namespace pare::kernels
