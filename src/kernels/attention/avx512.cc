#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/attention/attention-inl.h"

namespace pare::kernels {

extern constexpr AttentionKernel attention_f32_avx512 = avx512::MakeAttention<avx512::F32Tiles>();

}  // namespace pare::kernels
