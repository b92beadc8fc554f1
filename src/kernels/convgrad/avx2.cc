#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/convgrad/dense-inl.h"
#include "kernels/convgrad/depthwise-inl.h"
#include "kernels/convgrad/winograd-inl.h"

namespace pare::kernels {

extern constexpr ConvGradKernel convgrad_f32_depthwise3x3_avx2 =
    avx2::MakeDepthwiseGrad<avx2::DepthwiseGrad3x3>();
extern constexpr ConvGradKernel convgrad_f32_depthwise_avx2 =
    avx2::MakeDepthwiseGrad<avx2::DepthwiseGradAny>();
extern constexpr ConvGradKernel convgrad_f32_dense_avx2 = avx2::MakeDenseGrad<avx2::F32GradTiles>();
extern constexpr ConvGradKernel convgrad_f32_winograd_avx2 =
    avx2::MakeWinogradGrad<avx2::F32GradTiles>();

}  // namespace pare::kernels
