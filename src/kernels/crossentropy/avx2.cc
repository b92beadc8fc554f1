#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/crossentropy/crossentropy-inl.h"

namespace pare::kernels {

extern constexpr CrossEntropyKernel crossentropy_f32_avx2 = avx2::MakeCrossEntropy();

}  // namespace pare::kernels
