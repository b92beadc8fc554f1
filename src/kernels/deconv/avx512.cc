#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/deconv/deconv-inl.h"
#include "kernels/deconv/depthwise-inl.h"

namespace pare::kernels {

extern constexpr ConvKernel deconv_f32_avx512 = avx512::MakeDeconv<avx512::F32Tiles>();
extern constexpr ConvKernel deconv_f32_depthwise_avx512 = avx512::MakeDwConv<avx512::DwDeconv>();

}  // namespace pare::kernels
