// Every row of the table: doubling a channels-last picture along its height.
#include "kernels/benching.h"
#include "kernels/resize/resize.h"

namespace pare::kernels {
namespace {

void Run(benchmark::State& state, const Row<ResizeKernel>& row, const ResizeShape& s) {
  Aligned<float> x(s.outer * s.in * s.inner), y(s.outer * s.out * s.inner);
  Aligned<float> weight(s.out * s.taps);
  Aligned<int32_t> index(s.out * s.taps);
  const ResizeArgs args{
      .shape = s, .index = index.data(), .weight = weight.data(), .x = x.data(), .y = y.data()};
  for (auto _ : state) row->run(args, 0, s.tasks());
  state.counters["elements/s"] = benchmark::Counter(static_cast<double>(s.outer * s.out * s.inner),
                                                    benchmark::Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  for (const ResizeShape& s : {ResizeShape{1, 40, 80, 40 * 64, 2}, ResizeShape{80, 40, 80, 64, 2},
                               ResizeShape{80, 40, 80, 3, 4}}) {
    RegisterRows(ResizeRows(), s, Run, {{"out", s.out}, {"inner", s.inner}, {"taps", s.taps}});
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
