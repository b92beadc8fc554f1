#include "kernels/simd/avx512.h"
// After the wrappers:
#include "kernels/gemm/gemm-inl.h"

namespace pare::kernels {

// AVX-512: 28 sums, 2 vectors of B, 1 broadcast in 32 registers.
extern constexpr GemmKernel gemm_f32_avx512 = avx512::MakeGemm<avx512::F32Tiles>();

}  // namespace pare::kernels
