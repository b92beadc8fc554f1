// Every row, for an activation and for weights by channel.
#include "kernels/benching.h"
#include "kernels/fakequantize/fakequantize.h"

namespace pare::kernels {
namespace {

void RunBoth(benchmark::State& state, const Row<FakeQuantizeKernel>& row,
             const FakeQuantizeShape& s) {
  Aligned<float> x(s.count()), dy(s.count()), y(s.count()), dx(s.count());
  Aligned<float> scale(s.scales), ds(s.scales), partial(row->parts(s) * s.scales);
  for (int64_t i = 0; i < s.scales; ++i) scale.data()[i] = 0.1f;
  const FakeQuantizeArgs args{
      .shape = s, .lo = 0, .hi = 255, .x = x.data(), .scale = scale.data(), .y = y.data()};
  const FakeQuantizeGradArgs grad{.shape = s,
                                  .lo = 0,
                                  .hi = 255,
                                  .x = x.data(),
                                  .dy = dy.data(),
                                  .scale = scale.data(),
                                  .partial = partial.data(),
                                  .dx = dx.data(),
                                  .ds = ds.data()};
  for (auto _ : state) {
    row->quantize(args, 0, row->tasks(s));
    row->grad(grad, 0, row->grad_tasks(s));
    row->totals(grad);
  }
  state.SetBytesProcessed(state.iterations() * 5 * s.count() * 4);
}

const bool kRegistered = [] {
  RegisterRows(FakeQuantizeRows(), FakeQuantizeShape{1, 1, 1 << 20}, RunBoth,
               {{"scales", 1}, {"inner", 1 << 20}});
  RegisterRows(FakeQuantizeRows(), FakeQuantizeShape{1, 64, 576}, RunBoth,
               {{"scales", 64}, {"inner", 576}});
  return true;
}();

}  // namespace
}  // namespace pare::kernels
