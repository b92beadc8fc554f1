#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/qpool/qpool-inl.h"

namespace pare::kernels {

extern constexpr QPoolKernel qpool_neon = neon::MakeQPool();

}  // namespace pare::kernels
