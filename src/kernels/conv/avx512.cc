#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/conv/indirect-inl.h"
#include "kernels/conv/winograd-inl.h"

namespace pare::kernels {

using Tiles = avx512::F32Tiles;
extern constexpr ConvKernel conv_f32_indirect_avx512 = avx512::MakeIndirectConv<Tiles>();
extern constexpr ConvKernel conv_f32_winograd_avx512 = avx512::MakeWinogradConv<Tiles>();

}  // namespace pare::kernels
