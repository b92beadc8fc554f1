#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/layernormgrad/layernormgrad-inl.h"

namespace pare::kernels {

extern constexpr LayerNormGradKernel layernormgrad_f32_avx2 = avx2::MakeLayerNormGrad();

}  // namespace pare::kernels
