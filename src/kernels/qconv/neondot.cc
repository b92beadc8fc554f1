#include "kernels/simd/neondot.h"
// After the wrappers:
#include "kernels/qconv/qconv-inl.h"

namespace pare::kernels {

extern constexpr QConvKernel qconv_u8s8_neondot =
    neondot::MakeQConv<neondot::SegmentedKind<neondot::DotBytesS8S8>>();

}  // namespace pare::kernels
