#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/conv/indirect-inl.h"
#include "kernels/conv/winograd-inl.h"

namespace pare::kernels {

using Tiles = neon::F32Tiles;
extern constexpr ConvKernel conv_f32_indirect_neon = neon::MakeIndirectConv<Tiles>();
extern constexpr ConvKernel conv_f32_winograd_neon = neon::MakeWinogradConv<Tiles>();

}  // namespace pare::kernels
