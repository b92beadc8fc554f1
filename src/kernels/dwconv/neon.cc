#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/dwconv/dwconv-inl.h"

namespace pare::kernels {

extern constexpr ConvKernel dwconv_f32_w3_neon = neon::MakeDwConv<neon::DwConv<3>>();
extern constexpr ConvKernel dwconv_f32_w5_neon = neon::MakeDwConv<neon::DwConv<5>>();
extern constexpr ConvKernel dwconv_f32_any_neon = neon::MakeDwConv<neon::DwConvAny>();

}  // namespace pare::kernels
