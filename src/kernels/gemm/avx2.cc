#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/gemm/gemm-inl.h"

namespace pare::kernels {

// 12 sums, 2 vectors of B, 1 broadcast in 16 registers.
extern constexpr GemmKernel gemm_f32_avx2 = avx2::MakeGemm<avx2::Tiles<6, 2>>();

}  // namespace pare::kernels
