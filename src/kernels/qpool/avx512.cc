#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/qpool/qpool-inl.h"

namespace pare::kernels {

extern constexpr QPoolKernel qpool_avx512 = avx512::MakeQPool();

}  // namespace pare::kernels
