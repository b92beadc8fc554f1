#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/unary/unary-inl.h"

namespace pare::kernels {

extern constexpr UnaryKernel unary_f32_avx512 = avx512::kUnaryKernel;

}  // namespace pare::kernels
