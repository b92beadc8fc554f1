#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/batchnorm/batchnorm-inl.h"

namespace pare::kernels {

extern constexpr BatchNormKernel batchnorm_f32_neon = neon::MakeBatchNorm();

}  // namespace pare::kernels
