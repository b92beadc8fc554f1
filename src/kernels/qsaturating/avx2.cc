#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/qsaturating/depthwise-inl.h"
#include "kernels/qsaturating/qsaturating-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qsaturating_depthwise_u8s8_avx2 = avx2::MakeDepthwiseSaturating();
extern constexpr QConvKernel qsaturating_u8s8_avx2 = avx2::MakeQConv<avx2::PairsKind>();

}  // namespace pare::kernels
