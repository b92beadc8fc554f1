#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/resize/resize-inl.h"

namespace pare::kernels {

extern constexpr ResizeKernel resize_f32_neon = neon::MakeResize();

}  // namespace pare::kernels
