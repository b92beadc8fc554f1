#include "kernels/simd/avxvnni.h"
// After the wrappers:
#include "kernels/qdwconv/qdwconv-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qdwconv_u8s8_avxvnni = avxvnni::MakeQDwConv<avxvnni::QuadForm>();

}  // namespace pare::kernels
