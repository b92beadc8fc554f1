#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/deconv/deconv-inl.h"

namespace pare::kernels {

extern constexpr ConvKernel deconv_f32_neon = neon::MakeDeconv<neon::F32Tiles>();

}  // namespace pare::kernels
