#include "kernels/simd/neondot.h"
// After the wrappers:
#include "kernels/qdwconv/qdwconv-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qdwconv_u8s8_neondot = neondot::MakeQDwConv<neondot::QuadForm>();

}  // namespace pare::kernels
