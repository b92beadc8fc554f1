#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/unary/unary-inl.h"

namespace pare::kernels {

extern constexpr UnaryKernel unary_f32_neon = neon::kUnaryKernel;

}  // namespace pare::kernels
