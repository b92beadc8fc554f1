#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/qdwconv/qdwconv-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qdwconv_u8s8_neon = neon::MakeQDwConv<neon::PairForm>();

}  // namespace pare::kernels
