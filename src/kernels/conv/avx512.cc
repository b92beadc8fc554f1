#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/conv/indirect-inl.h"

namespace pare::kernels {

extern constexpr ConvKernel conv_f32_indirect_avx512 =
    avx512::MakeIndirectConv<avx512::Tiles<14, 2>>();

}  // namespace pare::kernels
