#include "kernels/crossentropy/crossentropy.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference: a task is a row.
void RunLoss(const CrossEntropyArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const int64_t n = args.shape.n;
  for (int64_t row = task_begin; row < task_end; ++row) {
    const float* x = args.logits + row * n;
    const double max = double{*std::max_element(x, x + n)};
    double sum = 0, loss = 0;
    for (int64_t i = 0; i < n; ++i) sum += std::exp(double{x[i]} - max);
    const double log_sum = max + std::log(sum);
    for (int64_t i = 0; i < n; ++i)
      loss += double{args.target[row * n + i]} * (log_sum - double{x[i]});
    args.loss[row] = static_cast<float>(loss);
    args.log_sum[row] = static_cast<float>(log_sum);
  }
}

void RunGrad(const CrossEntropyGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const int64_t n = args.shape.n;
  for (int64_t row = task_begin; row < task_end; ++row) {
    const double log_sum = double{args.log_sum[row]}, dloss = double{args.dloss[row]};
    double total = 0;
    for (int64_t i = row * n; i < (row + 1) * n; ++i) total += double{args.target[i]};
    for (int64_t i = row * n; i < (row + 1) * n; ++i) {
      const double p = std::exp(double{args.logits[i]} - log_sum);
      args.dlogits[i] = static_cast<float>((p * total - double{args.target[i]}) * dloss);
    }
  }
}

void RunSoftmaxGrad(const SoftmaxGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  const int64_t n = args.shape.n;
  for (int64_t row = task_begin; row < task_end; ++row) {
    double sum = 0;
    for (int64_t i = row * n; i < (row + 1) * n; ++i) sum += double{args.y[i]} * double{args.dy[i]};
    for (int64_t i = row * n; i < (row + 1) * n; ++i)
      args.dx[i] = static_cast<float>(double{args.y[i]} * (double{args.dy[i]} - sum));
  }
}

}  // namespace

extern constexpr CrossEntropyKernel crossentropy_f32_scalar{
    .supports = [](const CrossEntropyShape&) { return true; },
    .cost = nullptr,
    .tasks = [](const CrossEntropyShape& s) { return s.rows; },
    .loss = RunLoss,
    .grad = RunGrad,
    .softmax_grad = RunSoftmaxGrad};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(CrossEntropyKernel, isa, symbol)
#include "kernels/crossentropy/crossentropy.inc"
#undef PARE_KERNEL

Rows<CrossEntropyKernel> CrossEntropyRows() {
  static constexpr Row<CrossEntropyKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/crossentropy/crossentropy.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<CrossEntropyKernel>* FindCrossEntropy(const Cpu& cpu) {
  return FindRow(CrossEntropyRows(), cpu, CrossEntropyShape());
}

}  // namespace pare::kernels
