#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/conv/indirect-inl.h"
#include "kernels/conv/winograd-inl.h"

namespace pare::kernels {

using Tiles = avx2::F32Tiles;
extern constexpr ConvKernel conv_f32_indirect_avx2 = avx2::MakeIndirectConv<Tiles>();
extern constexpr ConvKernel conv_f32_winograd_avx2 = avx2::MakeWinogradConv<Tiles>();

}  // namespace pare::kernels
