#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/resize/resize-inl.h"

namespace pare::kernels {

extern constexpr ResizeKernel resize_f32_avx2 = avx2::MakeResize();

}  // namespace pare::kernels
