#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/qdwconv/qdwconv-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qdwconv_u8s8_avx2 = avx2::MakeQDwConv<avx2::PairForm>();

}  // namespace pare::kernels
