#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/deconv/deconv-inl.h"
#include "kernels/deconv/depthwise-inl.h"

namespace pare::kernels {

extern constexpr ConvKernel deconv_f32_neon = neon::MakeDeconv<neon::F32Tiles>();
extern constexpr ConvKernel deconv_f32_depthwise_neon = neon::MakeDwConv<neon::DwDeconv>();

}  // namespace pare::kernels
