// Every row of the table on the attention of encoders; `GMAC/s` counts both products.
#include "kernels/attention/attention.h"
#include "kernels/benching.h"

namespace pare::kernels {
namespace {

void Run(benchmark::State& state, const Row<AttentionKernel>& row, const AttentionShape& s) {
  Aligned<float> q(s.heads * s.q_len * s.d), k(s.heads * s.k_len * s.d);
  Aligned<float> v(s.heads * s.k_len * s.dv), y(s.heads * s.q_len * s.dv);
  Aligned<char> scratch(row->scratch_bytes(s));
  const AttentionStrides strides{0, s.d, s.heads * s.d};
  const AttentionArgs args{.shape = s,
                           .scale = 0.125f,
                           .q = q.data(),
                           .k = k.data(),
                           .v = v.data(),
                           .mask = nullptr,
                           .y = y.data(),
                           .q_strides = strides,
                           .k_strides = strides,
                           .v_strides = strides,
                           .mask_strides = {},
                           .y_strides = strides};
  for (auto _ : state) row->run(args, 0, row->tasks(s), scratch.data());
  CountMacs(state, static_cast<double>(s.heads * s.q_len * s.k_len * (s.d + s.dv)));
}

const bool kRegistered = [] {
  for (int64_t length : {32, 128, 512}) {
    for (int64_t d : {32, 64}) {
      RegisterRows(AttentionRows(), AttentionShape{1, 12, length, length, d, d}, Run,
                   {{"length", length}, {"d", d}});
    }
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
