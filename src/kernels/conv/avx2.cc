#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/conv/indirect-inl.h"

namespace pare::kernels {

extern constexpr ConvKernel conv_f32_indirect_avx2 = avx2::MakeIndirectConv<avx2::Tiles<6, 2>>();

}  // namespace pare::kernels
