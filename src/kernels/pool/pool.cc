#include "kernels/pool/pool.h"

#include <cmath>
#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

float One(const PoolArgs& args, const PoolWindow& w, int64_t image, int64_t c) {
  const PoolShape& s = args.shape;
  float max = -INFINITY, sum = 0;
  for (int64_t ky = w.rows.begin; ky < w.rows.end; ++ky) {
    for (int64_t kx = w.columns.begin; kx < w.columns.end; ++kx) {
      const int64_t y = w.top + ky * s.dilation_h, x = w.left + kx * s.dilation_w;
      const float value = args.x[((image * s.in_h + y) * s.in_w + x) * s.in_stride + c];
      max = value > max ? value : max;
      sum += value;
    }
  }
  return s.max ? max : sum / w.count;
}

void Run(const PoolArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const PoolShape& s = args.shape;
  for (int64_t task = task_begin; task < task_end; ++task) {
    const int64_t row = task / s.channel_parts();
    const Range channels = PartOf(s.channels, s.channel_parts(), task % s.channel_parts());
    for (int64_t x = 0; x < s.out_w; ++x) {
      const PoolWindow window(s, row % s.out_h, x);
      float* y = args.y + (row * s.out_w + x) * s.out_stride;
      for (int64_t c = channels.begin; c < channels.end; ++c) {
        y[c] = One(args, window, row / s.out_h, c);
      }
    }
  }
}

}  // namespace

extern constexpr PoolKernel pool_f32_scalar{
    .supports = [](const PoolShape&) { return true; }, .cost = nullptr, .run = Run};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(PoolKernel, isa, symbol)
#include "kernels/pool/pool.inc"
#undef PARE_KERNEL

Rows<PoolKernel> PoolRows() {
  static constexpr Row<PoolKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/pool/pool.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<PoolKernel>* FindPool(const Cpu& cpu, const PoolShape& shape) {
  return FindRow(PoolRows(), cpu, shape);
}

}  // namespace pare::kernels
