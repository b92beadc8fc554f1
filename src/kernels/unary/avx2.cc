#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/unary/unary-inl.h"

namespace pare::kernels {

extern constexpr UnaryKernel unary_f32_avx2 = avx2::kUnaryKernel;

}  // namespace pare::kernels
