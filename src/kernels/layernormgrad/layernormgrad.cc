#include "kernels/layernormgrad/layernormgrad.h"

#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference: a part is a row.
void RunRows(const LayerNormGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const int64_t n = args.shape.n;
  for (int64_t row = task_begin; row < task_end; ++row) {
    const float* x = args.x + row * n;
    const float* dy = args.dy + row * n;
    float* dscale = args.partial + row * 2 * n;
    float* dbias = dscale + n;
    const double mean = double{args.mean[row]}, inverse_std = double{args.inverse_std[row]};
    double sum = 0, products = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double normalized = (double{x[i]} - mean) * inverse_std;
      const double d = double{dy[i]} * double{args.scale[i]};
      sum += d;
      products += d * normalized;
      dscale[i] = static_cast<float>(double{dy[i]} * normalized);
      dbias[i] = dy[i];
    }
    for (int64_t i = 0; i < n; ++i) {
      const double normalized = (double{x[i]} - mean) * inverse_std;
      const double d = double{dy[i]} * double{args.scale[i]};
      const double centred = d - (sum + normalized * products) / static_cast<double>(n);
      args.dx[row * n + i] = static_cast<float>(inverse_std * centred);
    }
  }
}

void RunTotals(const LayerNormGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const int64_t n = args.shape.n;
  for (int64_t i = task_begin; i < task_end; ++i) {
    double dscale = 0, dbias = 0;
    for (int64_t row = 0; row < args.shape.rows; ++row) {
      dscale += double{args.partial[row * 2 * n + i]};
      dbias += double{args.partial[row * 2 * n + n + i]};
    }
    args.dscale[i] = static_cast<float>(dscale);
    args.dbias[i] = static_cast<float>(dbias);
  }
}

}  // namespace

extern constexpr LayerNormGradKernel layernormgrad_f32_scalar{
    .supports = [](const LayerNormGradShape&) { return true; },
    .cost = nullptr,
    .parts = [](const LayerNormGradShape& s) { return s.rows; },
    .rows = RunRows,
    .total_tasks = [](const LayerNormGradShape& s) { return s.n; },
    .totals = RunTotals};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(LayerNormGradKernel, isa, symbol)
#include "kernels/layernormgrad/layernormgrad.inc"
#undef PARE_KERNEL

Rows<LayerNormGradKernel> LayerNormGradRows() {
  static constexpr Row<LayerNormGradKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/layernormgrad/layernormgrad.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<LayerNormGradKernel>* FindLayerNormGrad(const Cpu& cpu) {
  return FindRow(LayerNormGradRows(), cpu, LayerNormGradShape());
}

}  // namespace pare::kernels
