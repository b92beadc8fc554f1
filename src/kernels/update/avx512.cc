#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/update/update-inl.h"

namespace pare::kernels {

extern constexpr UpdateKernel update_f32_avx512 = avx512::MakeUpdate();

}  // namespace pare::kernels
