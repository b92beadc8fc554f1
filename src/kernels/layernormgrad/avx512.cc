#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/layernormgrad/layernormgrad-inl.h"

namespace pare::kernels {

extern constexpr LayerNormGradKernel layernormgrad_f32_avx512 = avx512::MakeLayerNormGrad();

}  // namespace pare::kernels
