#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/fakequantize/fakequantize-inl.h"

namespace pare::kernels {

extern constexpr FakeQuantizeKernel fakequantize_f32_neon = neon::MakeFakeQuantize();

}  // namespace pare::kernels
