#include "kernels/simd/avx512vnni.h"
// After the wrappers:
#include "kernels/qconv/qconv-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qconv_u8s8_avx512vnni =
    avx512vnni::MakeQConv<avx512vnni::SegmentedKind<avx512vnni::DotBytesU8S8>>();

}  // namespace pare::kernels
