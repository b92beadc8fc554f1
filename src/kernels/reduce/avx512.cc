#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/reduce/reduce-inl.h"

namespace pare::kernels {

extern constexpr ReduceKernel reduce_f32_avx512 = avx512::kReduceKernel;

}  // namespace pare::kernels
