#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/recurrent/recurrent-inl.h"

namespace pare::kernels {

extern constexpr RecurrentKernel recurrent_f32_neon = neon::MakeRecurrent();

}  // namespace pare::kernels
