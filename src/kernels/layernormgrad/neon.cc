#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/layernormgrad/layernormgrad-inl.h"

namespace pare::kernels {

extern constexpr LayerNormGradKernel layernormgrad_f32_neon = neon::MakeLayerNormGrad();

}  // namespace pare::kernels
