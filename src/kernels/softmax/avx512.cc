#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/softmax/softmax-inl.h"

namespace pare::kernels {

extern constexpr SoftmaxKernel softmax_f32_avx512 = avx512::MakeSoftmax();

}  // namespace pare::kernels
