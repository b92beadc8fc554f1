#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/qpool/qpool-inl.h"

namespace pare::kernels {

extern constexpr QPoolKernel qpool_avx2 = avx2::MakeQPool();

}  // namespace pare::kernels
