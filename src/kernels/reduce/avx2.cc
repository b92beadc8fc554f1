#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/reduce/reduce-inl.h"

namespace pare::kernels {

extern constexpr ReduceKernel reduce_f32_avx2 = avx2::kReduceKernel;

}  // namespace pare::kernels
