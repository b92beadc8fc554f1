// Every row of the table on shapes of encoders and classifiers.
#include "kernels/benching.h"
#include "kernels/softmax/softmax.h"

namespace pare::kernels {
namespace {

void Run(benchmark::State& state, const Row<SoftmaxKernel>& row, const SoftmaxShape& s) {
  const int64_t count = s.outer * s.n * s.inner;
  Aligned<float> x(count), y(count);
  for (auto _ : state) row->run({.shape = s, .x = x.data(), .y = y.data()}, 0, row->tasks(s));
  state.counters["elements/s"] =
      benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  const SoftmaxShape shapes[] = {{1536, 128, 1}, {1, 1000, 1}, {1, 21, 4225}, {4420, 2, 1}};
  for (const SoftmaxShape& s : shapes) {
    RegisterRows(SoftmaxRows(), s, Run, {{"outer", s.outer}, {"n", s.n}, {"inner", s.inner}});
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
