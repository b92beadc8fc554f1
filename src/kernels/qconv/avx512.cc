#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/qconv/mixed-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qconv_u8s8_avx512 = avx512::MakeWideOrMixedQConv();

}  // namespace pare::kernels
