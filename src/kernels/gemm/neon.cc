#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/gemm/gemm-inl.h"

namespace pare::kernels {

// 24 sums, 4 vectors of B, 1 broadcast in 32 registers.
extern constexpr GemmKernel gemm_f32_neon = neon::MakeGemm<neon::Tiles<6, 4>>();

}  // namespace pare::kernels
