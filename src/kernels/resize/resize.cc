#include "kernels/resize/resize.h"

#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

void Run(const ResizeArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const ResizeShape& s = args.shape;
  const int64_t end = MinInt(task_end * s.lines_a_task(), s.outer * s.out);
  for (int64_t line = task_begin * s.lines_a_task(); line < end; ++line) {
    const int32_t* index = args.index + line % s.out * s.taps;
    const float* weight = args.weight + line % s.out * s.taps;
    const float* x = args.x + line / s.out * s.in * s.inner;
    for (int64_t i = 0; i < s.inner; ++i) {
      float sum = 0;
      for (int64_t t = 0; t < s.taps && index[0] >= 0; ++t) {
        sum += weight[t] * x[index[t] * s.inner + i];
      }
      args.y[line * s.inner + i] = index[0] < 0 ? args.outside : sum;
    }
  }
}

}  // namespace

extern constexpr ResizeKernel resize_f32_scalar{
    .supports = [](const ResizeShape&) { return true; }, .cost = nullptr, .run = Run};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(ResizeKernel, isa, symbol)
#include "kernels/resize/resize.inc"
#undef PARE_KERNEL

Rows<ResizeKernel> ResizeRows() {
  static constexpr Row<ResizeKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/resize/resize.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<ResizeKernel>* FindResize(const Cpu& cpu, const ResizeShape& shape) {
  return FindRow(ResizeRows(), cpu, shape);
}

}  // namespace pare::kernels
