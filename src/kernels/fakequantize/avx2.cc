#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/fakequantize/fakequantize-inl.h"

namespace pare::kernels {

extern constexpr FakeQuantizeKernel fakequantize_f32_avx2 = avx2::MakeFakeQuantize();

}  // namespace pare::kernels
