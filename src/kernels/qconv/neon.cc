#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/qconv/wide-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qconv_u8s8_neon = neon::MakeQConv<neon::WideKind>();

}  // namespace pare::kernels
