#include "kernels/softmax/softmax.h"

#include <cmath>
#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference. A task is one line along the axis.
int64_t Tasks(const SoftmaxShape& s) { return s.outer * s.inner; }

void Run(const SoftmaxArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const SoftmaxShape& s = args.shape;
  for (int64_t task = task_begin; task < task_end; ++task) {
    const int64_t at = task / s.inner * s.n * s.inner + task % s.inner;
    const float* x = args.x + at;
    float* y = args.y + at;
    float max = -INFINITY;
    for (int64_t i = 0; i < s.n; ++i) max = std::fmax(max, x[i * s.inner]);
    double sum = 0;
    for (int64_t i = 0; i < s.n; ++i) sum += std::exp(double{x[i * s.inner]} - double{max});
    const double log_sum = std::log(sum);
    for (int64_t i = 0; i < s.n; ++i) {
      const double shifted = double{x[i * s.inner]} - double{max};
      y[i * s.inner] = static_cast<float>(s.log ? shifted - log_sum : std::exp(shifted) / sum);
    }
  }
}

}  // namespace

extern constexpr SoftmaxKernel softmax_f32_scalar{
    .supports = [](const SoftmaxShape&) { return true; },
    .cost = nullptr,
    .tasks = Tasks,
    .run = Run};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(SoftmaxKernel, isa, symbol)
#include "kernels/softmax/softmax.inc"
#undef PARE_KERNEL

Rows<SoftmaxKernel> SoftmaxRows() {
  static constexpr Row<SoftmaxKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/softmax/softmax.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<SoftmaxKernel>* FindSoftmax(const Cpu& cpu, const SoftmaxShape& shape) {
  return FindRow(SoftmaxRows(), cpu, shape);
}

}  // namespace pare::kernels
