// Every row of the table on depthwise layers of MobileNets; `GMAC/s` is what to look at.
#include "kernels/benching.h"
#include "kernels/dwconv/dwconv.h"

namespace pare::kernels {
namespace {

void Run(benchmark::State& state, const Row<ConvKernel>& row, const ConvShape& s) {
  Aligned<float> x(s.batch * s.in_h * s.in_w * s.in_c), y(s.pixels() * s.out_c);
  Aligned<float> weights(s.out_c * s.kernel_h * s.kernel_w);
  Aligned<char> packed(row->packed_bytes(s)), scratch(row->scratch_bytes(s));
  row->pack(s, DenseWeights(s, weights.data()), nullptr, 0, row->panels(s), packed.data());
  const ConvArgs args{.shape = s,
                      .x = x.data(),
                      .packed = packed.data(),
                      .residual = nullptr,
                      .y = y.data(),
                      .activation = {.kind = Activation::Kind::kClamp, .lo = 0, .hi = 6}};
  for (auto _ : state) row->run(args, 0, row->tasks(s), scratch.data());
  CountMacs(state, s.macs());
}

const bool kRegistered = [] {
  struct {
    int64_t size, channels, kernel, stride;
  } const layers[] = {{112, 32, 3, 1}, {112, 96, 3, 2}, {56, 144, 3, 1}, {28, 192, 3, 1},
                      {14, 576, 3, 1}, {14, 576, 3, 2}, {14, 512, 3, 1}, {7, 960, 3, 1},
                      {28, 120, 5, 1}, {14, 672, 5, 2}, {7, 960, 5, 1}};
  for (const auto& l : layers) {
    ConvShape s;
    s.in_h = s.in_w = l.size, s.out_h = s.out_w = CeilDiv(l.size, l.stride);
    s.in_c = s.out_c = s.groups = s.in_stride = s.out_stride = s.residual_stride = l.channels;
    s.kernel_h = s.kernel_w = l.kernel, s.stride_h = s.stride_w = l.stride;
    s.pad_top = s.pad_left = (l.kernel - 1) / 2;
    RegisterRows(DwConvRows(), s, Run,
                 {{"size", l.size}, {"c", l.channels}, {"kernel", l.kernel}, {"stride", l.stride}});
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
