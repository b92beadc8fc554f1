#include "kernels/simd/neon.h"
// After the wrappers:
#include "kernels/gemm/gemm-inl.h"

namespace pare::kernels {

extern constexpr GemmKernel gemm_f32_neon = neon::MakeGemm<neon::F32Tiles>();

}  // namespace pare::kernels
