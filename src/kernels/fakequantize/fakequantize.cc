#include "kernels/fakequantize/fakequantize.h"

#include <cmath>
#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

using Shape = FakeQuantizeShape;

// The reference: a task is the line of one scale, and so is a part of `outer` ones.
void RunQuantize(const FakeQuantizeArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const int64_t inner = args.shape.inner;
  for (int64_t task = task_begin; task < task_end; ++task) {
    const float scale = args.scale[task % args.shape.scales];
    for (int64_t i = task * inner; i < (task + 1) * inner; ++i) {
      const float level = std::nearbyint(args.x[i] / scale);
      const float low = level < args.lo ? args.lo : level;
      args.y[i] = (low > args.hi ? args.hi : low) * scale;
    }
  }
}

void RunGrad(const FakeQuantizeGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const int64_t inner = args.shape.inner;
  for (int64_t task = task_begin; task < task_end; ++task) {
    const float scale = args.scale[task % args.shape.scales];
    double sum = 0;
    for (int64_t i = task * inner; i < (task + 1) * inner; ++i) {
      const float v = args.x[i] / scale, dy = args.dy[i];
      const bool below = v<args.lo, above = v> args.hi;
      const float slope = below ? args.lo : above ? args.hi : std::nearbyint(v) - v;
      sum += double{dy} * double{slope};
      args.dx[i] = below || above ? 0.0f : dy;
    }
    args.partial[task] = static_cast<float>(sum);
  }
}

void RunTotals(const FakeQuantizeGradArgs& args) noexcept {
  for (int64_t c = 0; c < args.shape.scales; ++c) {
    double sum = 0;
    for (int64_t outer = 0; outer < args.shape.outer; ++outer)
      sum += double{args.partial[outer * args.shape.scales + c]};
    args.ds[c] = args.gradient_scale * static_cast<float>(sum);
  }
}

int64_t Lines(const Shape& s) { return s.outer * s.scales; }

}  // namespace

extern constexpr FakeQuantizeKernel fakequantize_f32_scalar{
    .supports = [](const Shape&) { return true; },
    .cost = nullptr,
    .tasks = Lines,
    .quantize = RunQuantize,
    .parts = [](const Shape& s) { return s.outer; },
    .grad_tasks = Lines,
    .grad = RunGrad,
    .totals = RunTotals};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(FakeQuantizeKernel, isa, symbol)
#include "kernels/fakequantize/fakequantize.inc"
#undef PARE_KERNEL

Rows<FakeQuantizeKernel> FakeQuantizeRows() {
  static constexpr Row<FakeQuantizeKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/fakequantize/fakequantize.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<FakeQuantizeKernel>* FindFakeQuantize(const Cpu& cpu) {
  return FindRow(FakeQuantizeRows(), cpu, FakeQuantizeShape());
}

}  // namespace pare::kernels
