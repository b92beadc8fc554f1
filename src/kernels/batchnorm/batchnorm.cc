#include "kernels/batchnorm/batchnorm.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference, of both layouts: a task is a channel, and its partial sum the whole one.
template <typename Use>
void ForEachOf(const BatchNormShape& s, int64_t channel, Use&& use) {
  const int64_t step = s.channels_last ? s.channels : 1;
  const int64_t first = s.channels_last ? channel : channel * s.pixels;
  for (int64_t image = 0; image < s.images; ++image) {
    for (int64_t i = 0; i < s.pixels; ++i) use(image * s.pixels * s.channels + first + i * step);
  }
}

void RunMoments(const BatchNormArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const BatchNormShape& s = args.shape;
  for (int64_t c = task_begin; c < task_end; ++c) {
    double sum = 0, squares = 0;
    ForEachOf(s, c, [&](int64_t i) { sum += double{args.x[i]}; });
    const double mean = sum / static_cast<double>(s.count());
    ForEachOf(s, c, [&](int64_t i) {
      squares += (double{args.x[i]} - mean) * (double{args.x[i]} - mean);
    });
    args.partial[c] = static_cast<float>(mean);
    args.partial[s.channels + c] = static_cast<float>(squares);
  }
}

void RunStatistics(const BatchNormArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const int64_t count = args.shape.count();
  const float keep = args.momentum, take = 1 - args.momentum;
  for (int64_t c = task_begin; c < task_end; ++c) {
    const float squares = args.partial[args.shape.channels + c];
    const float unbiased = squares / static_cast<float>(MaxInt(1, count - 1));
    args.mean[c] = args.partial[c];
    args.inverse_std[c] = 1 / std::sqrt(squares / static_cast<float>(count) + args.epsilon);
    if (args.new_running_mean)
      args.new_running_mean[c] = args.running_mean[c] * keep + args.mean[c] * take;
    if (args.new_running_variance)
      args.new_running_variance[c] = args.running_variance[c] * keep + unbiased * take;
  }
}

void RunNormalize(const BatchNormArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  for (int64_t c = task_begin; c < task_end; ++c) {
    const float factor = args.scale[c] * args.inverse_std[c];
    ForEachOf(args.shape, c, [&](int64_t i) {
      float y = (args.x[i] - args.mean[c]) * factor + args.bias[c];
      if (args.residual) y += args.residual[i];
      args.y[i] = std::min(std::max(y, args.lo), args.hi);
    });
  }
}

float Passed(const BatchNormGradArgs& args, int64_t c, int64_t i) {
  if (!args.clamped()) return args.dy[i];
  const float factor = args.scale[c] * args.inverse_std[c];
  const float y = args.y ? args.y[i] : (args.x[i] - args.mean[c]) * factor + args.bias[c];
  return args.lo < y && y < args.hi ? args.dy[i] : 0.0f;
}

void RunGradSums(const BatchNormGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  for (int64_t c = task_begin; c < task_end; ++c) {
    double sum = 0, products = 0;
    ForEachOf(args.shape, c, [&](int64_t i) {
      const float dz = Passed(args, c, i);
      sum += double{dz};
      products += double{dz} * (double{args.x[i]} - double{args.mean[c]});
      if (args.dz) args.dz[i] = dz;
    });
    args.partial[c] = static_cast<float>(sum);
    args.partial[args.shape.channels + c] = static_cast<float>(products);
  }
}

void RunGradTotals(const BatchNormGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  for (int64_t c = task_begin; c < task_end; ++c) {
    args.dbias[c] = args.partial[c];
    args.dscale[c] = args.partial[args.shape.channels + c] * args.inverse_std[c];
  }
}

void RunGradInput(const BatchNormGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const auto count = static_cast<float>(args.shape.count());
  for (int64_t c = task_begin; c < task_end; ++c) {
    ForEachOf(args.shape, c, [&](int64_t i) {
      const float dz = args.dz ? args.dz[i] : Passed(args, c, i);
      const float normalized = (args.x[i] - args.mean[c]) * args.inverse_std[c];
      const float centred = dz - args.dbias[c] / count - normalized * args.dscale[c] / count;
      args.dx[i] = args.scale[c] * args.inverse_std[c] * centred;
    });
  }
}

int64_t Channels(const BatchNormShape& s) { return s.channels; }

}  // namespace

extern constexpr BatchNormKernel batchnorm_f32_scalar{
    .supports = [](const BatchNormShape&) { return true; },
    .cost = nullptr,
    .parts = [](const BatchNormShape&) { return int64_t{1}; },
    .sweep_tasks = Channels,
    .channel_tasks = Channels,
    .moments = RunMoments,
    .statistics = RunStatistics,
    .normalize = RunNormalize,
    .grad_sums = RunGradSums,
    .grad_totals = RunGradTotals,
    .grad_input = RunGradInput};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(BatchNormKernel, isa, symbol)
#include "kernels/batchnorm/batchnorm.inc"
#undef PARE_KERNEL

Rows<BatchNormKernel> BatchNormRows() {
  static constexpr Row<BatchNormKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/batchnorm/batchnorm.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<BatchNormKernel>* FindBatchNorm(const Cpu& cpu, const BatchNormShape& shape) {
  return FindRow(BatchNormRows(), cpu, shape);
}

}  // namespace pare::kernels
