#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/norm/norm-inl.h"

namespace pare::kernels {

extern constexpr NormKernel norm_f32_avx2 = avx2::MakeNorm();

}  // namespace pare::kernels
