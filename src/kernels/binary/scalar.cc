// The loops over one lane: slow, and the same bits as every other row.
#include "kernels/simd/scalar.h"
// After the wrappers:
#include "kernels/binary/binary-inl.h"

namespace pare::kernels {

extern constexpr BinaryKernel binary_f32_scalar = scalar::kBinaryKernel;

}  // namespace pare::kernels
