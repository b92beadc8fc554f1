#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/resize/resize-inl.h"

namespace pare::kernels {

extern constexpr ResizeKernel resize_f32_avx512 = avx512::MakeResize();

}  // namespace pare::kernels
