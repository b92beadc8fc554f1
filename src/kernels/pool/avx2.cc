#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/pool/pool-inl.h"

namespace pare::kernels {

extern constexpr PoolKernel pool_f32_avx2 = avx2::MakePool();

}  // namespace pare::kernels
