#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/qeltwise/qeltwise-inl.h"

namespace pare::kernels {

extern constexpr QEltwiseKernel qeltwise_neon = neon::MakeQEltwise();

}  // namespace pare::kernels
