#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/binary/binary-inl.h"

namespace pare::kernels {

extern constexpr BinaryKernel binary_f32_avx512 = avx512::kBinaryKernel;

}  // namespace pare::kernels
