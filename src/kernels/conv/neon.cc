#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/conv/indirect-inl.h"

namespace pare::kernels {

extern constexpr ConvKernel conv_f32_indirect_neon = neon::MakeIndirectConv<neon::Tiles<6, 4>>();

}  // namespace pare::kernels
