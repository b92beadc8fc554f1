#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/update/update-inl.h"

namespace pare::kernels {

extern constexpr UpdateKernel update_f32_neon = neon::MakeUpdate();

}  // namespace pare::kernels
