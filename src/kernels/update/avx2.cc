#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/update/update-inl.h"

namespace pare::kernels {

extern constexpr UpdateKernel update_f32_avx2 = avx2::MakeUpdate();

}  // namespace pare::kernels
