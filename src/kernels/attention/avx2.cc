#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/attention/attention-inl.h"

namespace pare::kernels {

extern constexpr AttentionKernel attention_f32_avx2 = avx2::MakeAttention<avx2::F32Tiles>();

}  // namespace pare::kernels
