#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/dwconv/dwconv-inl.h"

namespace pare::kernels {

extern constexpr ConvKernel dwconv_f32_w3_avx2 = avx2::MakeDwConv<avx2::DwConv<3>>();
extern constexpr ConvKernel dwconv_f32_w5_avx2 = avx2::MakeDwConv<avx2::DwConv<5>>();
extern constexpr ConvKernel dwconv_f32_any_avx2 = avx2::MakeDwConv<avx2::DwConvAny>();

}  // namespace pare::kernels
