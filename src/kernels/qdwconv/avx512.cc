#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/qdwconv/qdwconv-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qdwconv_u8s8_avx512 = avx512::MakeQDwConv<avx512::PairForm>();

}  // namespace pare::kernels
