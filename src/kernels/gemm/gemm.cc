#include "kernels/gemm/gemm.h"

#include <iterator>

#include "kernels/activation.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference. Packed: bias[n], then B as [n, k].
bool Supports(const GemmShape&) { return true; }
double Cost(const GemmShape& s) {
  return 4.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k + 8);
}
int64_t PanelCount(const GemmShape& s) { return s.n; }
int64_t PackedBytes(const GemmShape& s) {
  return RoundUp(s.n * (s.k + 1) * int64_t{sizeof(float)}, kAlignment);
}

void Pack(const GemmShape& s, GemmB order, const float* b, int64_t ldb, const float* bias,
          int64_t panel_begin, int64_t panel_end, void* packed) noexcept {
  for (int64_t n = panel_begin; n < panel_end; ++n) {
    float* out = static_cast<float*>(packed);
    out[n] = bias ? bias[n] : 0.0f;
    out += s.n + n * s.k;
    for (int64_t k = 0; k < s.k; ++k)
      out[k] = order == GemmB::kKN ? b[k * ldb + n] : b[n * ldb + k];
  }
}

int64_t Tasks(const GemmShape& s) { return s.m; }
int64_t ScratchBytes(const GemmShape&) { return 0; }

void Run(const GemmArgs& args, int64_t task_begin, int64_t task_end, void*) noexcept {
  const float* bias = static_cast<const float*>(args.packed);
  for (int64_t m = task_begin; m < task_end; ++m) {
    for (int64_t n = 0; n < args.shape.n; ++n) {
      const float* b = bias + args.shape.n + n * args.shape.k;
      float sum = bias[n];
      for (int64_t k = 0; k < args.shape.k; ++k) sum += args.a[m * args.lda + k] * b[k];
      if (args.residual) sum += args.residual[m * args.ldr + n];
      args.c[m * args.ldc + n] = Activate(args.activation, sum);
    }
  }
}

}  // namespace

extern constexpr GemmKernel gemm_f32_scalar{.supports = Supports,
                                            .cost = Cost,
                                            .panels = PanelCount,
                                            .packed_bytes = PackedBytes,
                                            .pack = Pack,
                                            .tasks = Tasks,
                                            .scratch_bytes = ScratchBytes,
                                            .run = Run};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(GemmKernel, isa, symbol)
#include "kernels/gemm/gemm.inc"
#undef PARE_KERNEL

Rows<GemmKernel> GemmRows() {
  static constexpr Row<GemmKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/gemm/gemm.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<GemmKernel>* FindGemm(const Cpu& cpu, const GemmShape& shape) {
  return FindRow(GemmRows(), cpu, shape);
}

}  // namespace pare::kernels
