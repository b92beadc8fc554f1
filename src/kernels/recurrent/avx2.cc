#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/recurrent/recurrent-inl.h"

namespace pare::kernels {

extern constexpr RecurrentKernel recurrent_f32_avx2 = avx2::MakeRecurrent();

}  // namespace pare::kernels
