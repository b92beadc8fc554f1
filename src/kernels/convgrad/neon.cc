#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/convgrad/dense-inl.h"
#include "kernels/convgrad/depthwise-inl.h"
#include "kernels/convgrad/winograd-inl.h"

namespace pare::kernels {

extern constexpr ConvGradKernel convgrad_f32_depthwise3x3_neon =
    neon::MakeDepthwiseGrad<neon::DepthwiseGrad3x3>();
extern constexpr ConvGradKernel convgrad_f32_depthwise_neon =
    neon::MakeDepthwiseGrad<neon::DepthwiseGradAny>();
extern constexpr ConvGradKernel convgrad_f32_dense_neon = neon::MakeDenseGrad<neon::F32GradTiles>();
extern constexpr ConvGradKernel convgrad_f32_winograd_neon =
    neon::MakeWinogradGrad<neon::F32GradTiles>();

}  // namespace pare::kernels
