#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/norm/norm-inl.h"

namespace pare::kernels {

extern constexpr NormKernel norm_f32_avx512 = avx512::MakeNorm();

}  // namespace pare::kernels
