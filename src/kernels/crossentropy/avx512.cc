#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/crossentropy/crossentropy-inl.h"

namespace pare::kernels {

extern constexpr CrossEntropyKernel crossentropy_f32_avx512 = avx512::MakeCrossEntropy();

}  // namespace pare::kernels
