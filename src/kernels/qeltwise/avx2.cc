#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/qeltwise/qeltwise-inl.h"

namespace pare::kernels {

extern constexpr QEltwiseKernel qeltwise_avx2 = avx2::MakeQEltwise();

}  // namespace pare::kernels
