#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/binary/binary-inl.h"

namespace pare::kernels {

extern constexpr BinaryKernel binary_f32_neon = neon::kBinaryKernel;

}  // namespace pare::kernels
