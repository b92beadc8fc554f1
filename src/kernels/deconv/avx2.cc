#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/deconv/deconv-inl.h"
#include "kernels/deconv/depthwise-inl.h"

namespace pare::kernels {

extern constexpr ConvKernel deconv_f32_avx2 = avx2::MakeDeconv<avx2::F32Tiles>();
extern constexpr ConvKernel deconv_f32_depthwise_avx2 = avx2::MakeDwConv<avx2::DwDeconv>();

}  // namespace pare::kernels
