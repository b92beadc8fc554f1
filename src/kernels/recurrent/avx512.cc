#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/recurrent/recurrent-inl.h"

namespace pare::kernels {

extern constexpr RecurrentKernel recurrent_f32_avx512 = avx512::MakeRecurrent();

}  // namespace pare::kernels
