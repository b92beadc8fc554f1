#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/attention/attention-inl.h"

namespace pare::kernels {

extern constexpr AttentionKernel attention_f32_neon = neon::MakeAttention<neon::F32Tiles>();

}  // namespace pare::kernels
