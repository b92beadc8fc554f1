// Every row of the table on pooling layers of real networks.
#include "kernels/benching.h"
#include "kernels/pool/pool.h"

namespace pare::kernels {
namespace {

void Run(benchmark::State& state, const Row<PoolKernel>& row, const PoolShape& s) {
  Aligned<float> x(s.batch * s.in_h * s.in_w * s.in_stride);
  Aligned<float> y(s.batch * s.out_h * s.out_w * s.out_stride);
  for (auto _ : state) row->run({.shape = s, .x = x.data(), .y = y.data()}, 0, s.tasks());
  state.counters["taps/s"] = benchmark::Counter(
      static_cast<double>(s.batch * s.out_h * s.out_w * s.channels * s.kernel_h * s.kernel_w),
      benchmark::Counter::kIsIterationInvariantRate);
}

PoolShape Square(int64_t channels, int64_t in, int64_t kernel, int64_t stride, int64_t pad,
                 bool max) {
  PoolShape s{.channels = channels, .in_h = in, .in_w = in, .max = max};
  s.kernel_h = s.kernel_w = kernel;
  s.stride_h = s.stride_w = stride;
  s.pad_top = s.pad_left = s.pad_bottom = s.pad_right = pad;
  s.out_h = s.out_w = (in + 2 * pad - kernel) / stride + 1;
  s.in_stride = s.out_stride = channels;
  return s;
}

const bool kRegistered = [] {
  const PoolShape shapes[] = {Square(64, 112, 3, 2, 1, true), Square(256, 27, 3, 2, 0, true),
                              Square(1280, 7, 7, 1, 0, false), Square(192, 35, 3, 1, 1, false)};
  for (const PoolShape& s : shapes) {
    RegisterRows(PoolRows(), s, Run, {{"c", s.channels}, {"in", s.in_h}, {"k", s.kernel_h}});
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
