#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/norm/norm-inl.h"

namespace pare::kernels {

extern constexpr NormKernel norm_f32_neon = neon::MakeNorm();

}  // namespace pare::kernels
