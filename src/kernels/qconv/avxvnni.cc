#include "kernels/simd/avxvnni.h"
// After the wrappers:
#include "kernels/qconv/qconv-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qconv_u8s8_avxvnni =
    avxvnni::MakeQConv<avxvnni::SegmentedKind<avxvnni::DotBytesU8S8>>();

}  // namespace pare::kernels
