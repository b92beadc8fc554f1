#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/fakequantize/fakequantize-inl.h"

namespace pare::kernels {

extern constexpr FakeQuantizeKernel fakequantize_f32_avx512 = avx512::MakeFakeQuantize();

}  // namespace pare::kernels
