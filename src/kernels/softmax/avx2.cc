#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/softmax/softmax-inl.h"

namespace pare::kernels {

extern constexpr SoftmaxKernel softmax_f32_avx2 = avx2::MakeSoftmax();

}  // namespace pare::kernels
