#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/qeltwise/qeltwise-inl.h"

namespace pare::kernels {

extern constexpr QEltwiseKernel qeltwise_avx512 = avx512::MakeQEltwise();

}  // namespace pare::kernels
