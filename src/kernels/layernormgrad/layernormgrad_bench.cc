// Every row, for the lines of encoders.
#include "kernels/benching.h"
#include "kernels/layernormgrad/layernormgrad.h"

namespace pare::kernels {
namespace {

void RunGrad(benchmark::State& state, const Row<LayerNormGradKernel>& row,
             const LayerNormGradShape& s) {
  Aligned<float> x(s.rows * s.n), dy(s.rows * s.n), dx(s.rows * s.n), lines(3 * s.n);
  Aligned<float> statistics(s.rows), partial(2 * row->parts(s) * s.n);
  const LayerNormGradArgs args{.shape = s,
                               .x = x.data(),
                               .dy = dy.data(),
                               .scale = lines.data(),
                               .mean = statistics.data(),
                               .inverse_std = statistics.data(),
                               .partial = partial.data(),
                               .dx = dx.data(),
                               .dscale = lines.data() + s.n,
                               .dbias = lines.data() + 2 * s.n};
  for (auto _ : state) {
    row->rows(args, 0, row->parts(s));
    row->totals(args, 0, row->total_tasks(s));
  }
  state.SetBytesProcessed(state.iterations() * 3 * s.rows * s.n * 4);
}

const bool kRegistered = [] {
  RegisterRows(LayerNormGradRows(), LayerNormGradShape{1024, 384}, RunGrad,
               {{"rows", 1024}, {"n", 384}});
  return true;
}();

}  // namespace
}  // namespace pare::kernels
