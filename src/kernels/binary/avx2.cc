#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/binary/binary-inl.h"

namespace pare::kernels {

extern constexpr BinaryKernel binary_f32_avx2 = avx2::kBinaryKernel;

}  // namespace pare::kernels
