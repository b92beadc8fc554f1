#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/convgrad/dense-inl.h"
#include "kernels/convgrad/depthwise-inl.h"
#include "kernels/convgrad/winograd-inl.h"

namespace pare::kernels {

extern constexpr ConvGradKernel convgrad_f32_depthwise3x3_avx512 =
    avx512::MakeDepthwiseGrad<avx512::DepthwiseGrad3x3>();
extern constexpr ConvGradKernel convgrad_f32_depthwise_avx512 =
    avx512::MakeDepthwiseGrad<avx512::DepthwiseGradAny>();
extern constexpr ConvGradKernel convgrad_f32_dense_avx512 =
    avx512::MakeDenseGrad<avx512::F32GradTiles>();
extern constexpr ConvGradKernel convgrad_f32_winograd_avx512 =
    avx512::MakeWinogradGrad<avx512::F32GradTiles>();

}  // namespace pare::kernels
