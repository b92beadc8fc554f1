#include "kernels/norm/norm.h"

#include <cmath>
#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference: a task is a row, a line, a channel of an image.
struct Moments {
  double mean, variance;
};
Moments MomentsOf(const float* x, int64_t n, int64_t step) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) sum += double{x[i * step]};
  const double mean = sum / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) {
    squares += (double{x[i * step]} - mean) * (double{x[i * step]} - mean);
  }
  return {mean, squares / static_cast<double>(n)};
}

void RunRows(const RowNormArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  for (int64_t row = task_begin; row < task_end; ++row) {
    const float* x = args.x + row * args.n;
    float* y = args.y + row * args.n;
    Moments m = MomentsOf(x, args.n, 1);
    if (args.rms) m = {0, m.variance + m.mean * m.mean};
    const double inverse_std = 1.0 / std::sqrt(m.variance + double{args.eps});
    for (int64_t i = 0; i < args.n; ++i) {
      double value = (double{x[i]} - m.mean) * inverse_std;
      if (args.scale) value *= double{args.scale[i]};
      if (args.bias) value += double{args.bias[i]};
      y[i] = static_cast<float>(value);
    }
    if (args.mean) args.mean[row] = static_cast<float>(m.mean);
    if (args.inverse_std) args.inverse_std[row] = static_cast<float>(inverse_std);
  }
}

void RunMoments(const MomentsArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  for (int64_t task = task_begin; task < task_end; ++task) {
    const float* x = args.x + task / args.inner * args.n * args.inner + task % args.inner;
    const Moments m = MomentsOf(x, args.n, args.inner);
    args.mean[task] = static_cast<float>(m.mean);
    args.variance[task] = static_cast<float>(m.variance);
  }
}

void RunAffine(const AffineArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  for (int64_t task = task_begin; task < task_end; ++task) {
    const int64_t image = task / args.channels, c = task % args.channels;
    const int64_t at = args.per_image ? task : c;
    const int64_t step = args.channels_last ? args.channels : 1;
    const int64_t first =
        image * args.pixels * args.channels + (args.channels_last ? c : c * args.pixels);
    for (int64_t i = 0; i < args.pixels; ++i) {
      const int64_t element = first + i * step;
      args.y[element] = args.x[element] * args.scale[at] + args.shift[at];
    }
  }
}

}  // namespace

extern constexpr NormKernel norm_f32_scalar{
    .supports = [](const NormShape&) { return true; },
    .cost = nullptr,
    .row_tasks = [](int64_t rows, int64_t) { return rows; },
    .rows = RunRows,
    .moments_tasks = [](int64_t outer, int64_t, int64_t inner) { return outer * inner; },
    .moments = RunMoments,
    .affine_tasks = [](int64_t images, int64_t, int64_t channels) { return images * channels; },
    .affine = RunAffine};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(NormKernel, isa, symbol)
#include "kernels/norm/norm.inc"
#undef PARE_KERNEL

Rows<NormKernel> NormRows() {
  static constexpr Row<NormKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/norm/norm.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<NormKernel>* FindNorm(const Cpu& cpu) { return FindRow(NormRows(), cpu, NormShape()); }

}  // namespace pare::kernels
