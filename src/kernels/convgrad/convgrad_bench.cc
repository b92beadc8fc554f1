// Every row of the table on layers of ResNet18, ResNet-20 and MobileNetV2 at 32×32, and products of
// matrices, with batches of 64.
#include "kernels/benching.h"
#include "kernels/convgrad/convgrad.h"

namespace pare::kernels {
namespace {

void Run(benchmark::State& state, const Row<ConvGradKernel>& row, const ConvShape& s) {
  Aligned<float> x(s.batch * s.in_h * s.in_w * s.in_c), dy(s.pixels() * s.out_c);
  Aligned<float> dw(s.out_c * s.kernel_h * s.kernel_w * s.group_in());
  Aligned<char> partials(row->partial_bytes(s)), scratch(row->scratch_bytes(s));
  const ConvGradArgs args{.shape = s,
                          .x = x.data(),
                          .dy = dy.data(),
                          .dw = dw.data(),
                          .partials = reinterpret_cast<float*>(partials.data())};
  for (auto _ : state) {
    row->run(args, 0, row->tasks(s), scratch.data());
    if (row->sum_tasks(s) > 0) row->sum(args, 0, row->sum_tasks(s));
  }
  CountMacs(state, s.macs());
}

const bool kRegistered = [] {
  struct {
    int64_t size, in_c, out_c, kernel, stride, groups;
  } const layers[] = {
      {32, 3, 64, 3, 1, 1},      {32, 64, 64, 3, 1, 1},     {16, 128, 128, 3, 1, 1},
      {8, 256, 256, 3, 1, 1},    {4, 512, 512, 3, 1, 1},    {32, 64, 128, 3, 2, 1},
      {32, 16, 16, 3, 1, 1},     {8, 64, 64, 3, 1, 1},      {16, 32, 32, 3, 1, 1},
      {32, 24, 144, 1, 1, 1},    {32, 144, 24, 1, 1, 1},    {4, 160, 960, 1, 1, 1},
      {32, 144, 144, 3, 1, 144}, {32, 144, 144, 3, 2, 144}, {4, 960, 960, 3, 1, 960},
      {1, 784, 512, 1, 1, 1},    {4, 384, 1536, 1, 1, 1}};
  for (const auto& l : layers) {
    ConvShape s;
    s.batch = 64;
    s.in_h = s.in_w = l.size, s.in_c = s.in_stride = l.in_c;
    s.out_h = s.out_w = CeilDiv(l.size, l.stride);
    s.out_c = s.out_stride = l.out_c;
    s.kernel_h = s.kernel_w = l.kernel, s.stride_h = s.stride_w = l.stride;
    s.pad_top = s.pad_left = (l.kernel - 1) / 2, s.groups = l.groups;
    RegisterRows(ConvGradRows(), s, Run,
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
