// Every row of the table on layers of ResNet, SqueezeNet and MobileNet; `GMAC/s` counts the direct
// algorithm's.
#include "kernels/benching.h"
#include "kernels/conv/conv.h"

namespace pare::kernels {
namespace {

void Run(benchmark::State& state, const Row<ConvKernel>& row, const ConvShape& s) {
  Aligned<float> x(s.batch * s.in_h * s.in_w * s.in_c), y(s.pixels() * s.out_c);
  Aligned<float> weights(s.out_c * s.kernel_h * s.kernel_w * s.group_in());
  Aligned<char> packed(row->packed_bytes(s)), scratch(row->scratch_bytes(s));
  row->pack(s, DenseWeights(s, weights.data()), nullptr, 0, row->panels(s), packed.data());
  const ConvArgs args{.shape = s,
                      .x = x.data(),
                      .packed = packed.data(),
                      .residual = nullptr,
                      .y = y.data(),
                      .activation = {.kind = Activation::Kind::kClamp, .lo = 0}};
  for (auto _ : state) row->run(args, 0, row->tasks(s), scratch.data());
  CountMacs(state, s.macs());
}

const bool kRegistered = [] {
  struct {
    int64_t size, in_c, out_c, kernel, stride, groups;
  } const layers[] = {{224, 3, 64, 7, 2, 1},   {224, 3, 32, 3, 2, 1},   {32, 16, 16, 3, 1, 1},
                      {16, 32, 32, 3, 1, 1},   {8, 64, 64, 3, 1, 1},    {56, 64, 64, 3, 1, 1},
                      {28, 128, 128, 3, 1, 1}, {14, 256, 256, 3, 1, 1}, {7, 512, 512, 3, 1, 1},
                      {56, 64, 128, 3, 2, 1},  {56, 16, 64, 3, 1, 1},   {14, 96, 576, 1, 1, 1},
                      {56, 24, 144, 1, 1, 1},  {56, 256, 512, 1, 2, 1}, {28, 128, 128, 3, 1, 32}};
  for (const auto& l : layers) {
    ConvShape s;
    s.in_h = s.in_w = l.size, s.in_c = s.in_stride = l.in_c;
    s.out_h = s.out_w = CeilDiv(l.size, l.stride);
    s.out_c = s.out_stride = s.residual_stride = l.out_c;
    s.kernel_h = s.kernel_w = l.kernel, s.stride_h = s.stride_w = l.stride;
    s.pad_top = s.pad_left = (l.kernel - 1) / 2, s.groups = l.groups;
    RegisterRows(ConvRows(), s, Run,
                 {{"size", l.size},
                  {"in", l.in_c},
                  {"out", l.out_c},
                  {"kernel", l.kernel},
                  {"stride", l.stride},
                  {"groups", l.groups}});
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
