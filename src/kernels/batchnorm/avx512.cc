#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/batchnorm/batchnorm-inl.h"

namespace pare::kernels {

extern constexpr BatchNormKernel batchnorm_f32_avx512 = avx512::MakeBatchNorm();

}  // namespace pare::kernels
