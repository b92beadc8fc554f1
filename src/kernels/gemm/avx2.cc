#include "kernels/simd/avx2.h"
// After the wrappers:
#include "kernels/gemm/gemm-inl.h"

namespace pare::kernels {

extern constexpr GemmKernel gemm_f32_avx2 = avx2::MakeGemm<avx2::F32Tiles>();

}  // namespace pare::kernels
