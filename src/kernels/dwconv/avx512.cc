#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/dwconv/dwconv-inl.h"

namespace pare::kernels {

extern constexpr ConvKernel dwconv_f32_w3_avx512 = avx512::MakeDwConv<avx512::DwConv<3>>();
extern constexpr ConvKernel dwconv_f32_w5_avx512 = avx512::MakeDwConv<avx512::DwConv<5>>();
extern constexpr ConvKernel dwconv_f32_any_avx512 = avx512::MakeDwConv<avx512::DwConvAny>();

}  // namespace pare::kernels
