// The loops over one lane: slow, and the same bits as every other row.
#include "kernels/simd/scalar.h"
// After the wrappers:
#include "kernels/unary/unary-inl.h"

namespace pare::kernels {

extern constexpr UnaryKernel unary_f32_scalar = scalar::kUnaryKernel;

}  // namespace pare::kernels
