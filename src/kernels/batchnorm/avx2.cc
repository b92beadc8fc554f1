#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/batchnorm/batchnorm-inl.h"

namespace pare::kernels {

extern constexpr BatchNormKernel batchnorm_f32_avx2 = avx2::MakeBatchNorm();

}  // namespace pare::kernels
