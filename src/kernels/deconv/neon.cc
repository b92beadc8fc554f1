#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/deconv/deconv-inl.h"

namespace pare::kernels {

extern constexpr ConvKernel deconv_f32_neon = neon::MakeDeconv<neon::Tiles<6, 4>>();

}  // namespace pare::kernels
