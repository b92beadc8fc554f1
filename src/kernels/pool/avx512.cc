#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/pool/pool-inl.h"

namespace pare::kernels {

extern constexpr PoolKernel pool_f32_avx512 = avx512::MakePool();

}  // namespace pare::kernels
