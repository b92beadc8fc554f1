#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/softmax/softmax-inl.h"

namespace pare::kernels {

extern constexpr SoftmaxKernel softmax_f32_neon = neon::MakeSoftmax();

}  // namespace pare::kernels
