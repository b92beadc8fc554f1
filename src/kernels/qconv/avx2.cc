#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/qconv/mixed-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qconv_u8s8_avx2 = avx2::MakeWideOrMixedQConv();

}  // namespace pare::kernels
