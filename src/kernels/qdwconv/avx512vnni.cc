#include "kernels/simd/avx512vnni.h"
// After the wrappers:
#include "kernels/qdwconv/qdwconv-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qdwconv_u8s8_avx512vnni =
    avx512vnni::MakeQDwConv<avx512vnni::QuadForm>();

}  // namespace pare::kernels
