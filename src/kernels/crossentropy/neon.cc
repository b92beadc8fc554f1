#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/crossentropy/crossentropy-inl.h"

namespace pare::kernels {

extern constexpr CrossEntropyKernel crossentropy_f32_neon = neon::MakeCrossEntropy();

}  // namespace pare::kernels
