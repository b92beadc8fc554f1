// Both directions of every row, beside a copy of one operand for each that they read or write.
#include "kernels/batchnorm/batchnorm.h"
#include "kernels/benching.h"

namespace pare::kernels {
namespace {

struct Memory {
  explicit Memory(const BatchNormShape& s, int64_t parts)
      : x(s.count() * s.channels),
        y(s.count() * s.channels),
        dy(s.count() * s.channels),
        dx(s.count() * s.channels),
        vectors(8 * s.channels),
        partial(2 * parts * s.channels) {}
  float* vector(int i, const BatchNormShape& s) { return vectors.data() + i * s.channels; }
  Aligned<float> x, y, dy, dx, vectors, partial;
};

void CountBytes(benchmark::State& state, const BatchNormShape& s, int64_t passes) {
  state.SetBytesProcessed(state.iterations() * passes * s.count() * s.channels * 4);
}

void RunForward(benchmark::State& state, const Row<BatchNormKernel>& row, const BatchNormShape& s) {
  Memory m(s, row->parts(s));
  const BatchNormArgs args{.shape = s,
                           .epsilon = 1e-5f,
                           .lo = 0,
                           .x = m.x.data(),
                           .scale = m.vector(0, s),
                           .bias = m.vector(1, s),
                           .partial = m.partial.data(),
                           .mean = m.vector(2, s),
                           .inverse_std = m.vector(3, s),
                           .y = m.y.data()};
  for (auto _ : state) {
    row->moments(args, 0, row->sweep_tasks(s));
    row->statistics(args, 0, row->channel_tasks(s));
    row->normalize(args, 0, row->sweep_tasks(s));
  }
  CountBytes(state, s, 3);
}

void RunBackward(benchmark::State& state, const Row<BatchNormKernel>& row,
                 const BatchNormShape& s) {
  Memory m(s, row->parts(s));
  const BatchNormGradArgs args{.shape = s,
                               .lo = 0,
                               .x = m.x.data(),
                               .dy = m.dy.data(),
                               .scale = m.vector(0, s),
                               .bias = m.vector(1, s),
                               .mean = m.vector(2, s),
                               .inverse_std = m.vector(3, s),
                               .partial = m.partial.data(),
                               .dscale = m.vector(4, s),
                               .dbias = m.vector(5, s),
                               .dx = m.dx.data()};
  for (auto _ : state) {
    row->grad_sums(args, 0, row->sweep_tasks(s));
    row->grad_totals(args, 0, row->channel_tasks(s));
    row->grad_input(args, 0, row->sweep_tasks(s));
  }
  CountBytes(state, s, 5);
}

void RunCopy(benchmark::State& state, const BatchNormShape& s) {
  Memory m(s, 1);
  for (auto _ : state) {
    __builtin_memcpy(m.y.data(), m.x.data(), static_cast<size_t>(s.count() * s.channels) * 4);
    benchmark::ClobberMemory();
  }
  CountBytes(state, s, 2);
}

void Register(const BatchNormShape& s) {
  const std::string name =
      "copy/rows" + std::to_string(s.count()) + "/channels" + std::to_string(s.channels);
  benchmark::RegisterBenchmark(name.c_str(), RunCopy, s)->Unit(benchmark::kMicrosecond);
  RegisterRows(BatchNormRows(), s, RunForward,
               {{"forward_rows", s.count()}, {"channels", s.channels}});
  RegisterRows(BatchNormRows(), s, RunBackward,
               {{"backward_rows", s.count()}, {"channels", s.channels}});
}

const bool kRegistered = [] {
  Register({.images = 64, .pixels = 1024, .channels = 64});
  Register({.images = 64, .pixels = 256, .channels = 96});
  Register({.images = 64, .pixels = 1024, .channels = 24});
  Register({.images = 64, .pixels = 16, .channels = 512});
  return true;
}();

}  // namespace
}  // namespace pare::kernels
