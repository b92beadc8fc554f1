#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/pool/pool-inl.h"

namespace pare::kernels {

extern constexpr PoolKernel pool_f32_neon = neon::MakePool();

}  // namespace pare::kernels
