// Convolution and transposed convolution of one to three dimensions in any layout and type.
//
//   sum[n, o, p] = Σ over taps t and input channels c of o's group (x − x_zero) · (w − w_zero[o])
//   out(sum, y) stores it, where y is the offset in elements of (n, o, p) in the output.
#pragma once

#include "kernels/plain/window.h"

namespace pare::kernels {

template <typename X, typename W>
struct ConvNdArgs {
  WindowShape shape;
  int64_t groups = 1;
  bool transposed = false;
  // Distances in elements between weights; of a transposed convolution w_out counts within a group
  // and w_in over all input channels.
  int64_t w_out = 0, w_in = 0, w_tap = 0;
  const X* x = nullptr;
  const W* w = nullptr;
  X x_zero = 0;
  const W* w_zero = nullptr;  // one each output channel, w_zero_step 0: one for all; null = 0
  int64_t w_zero_step = 0;
};

// A task is one output channel of one image: tasks = batch · out_channels.
template <typename Sum, typename X, typename W, typename Out>
void ConvNd(const ConvNdArgs<X, W>& args, int64_t task_begin, int64_t task_end, Out&& out) {
  const WindowShape& s = args.shape;
  const int64_t group_in = s.channels / args.groups, group_out = s.out_channels / args.groups;
  for (int64_t task = task_begin; task < task_end; ++task) {
    const int64_t n = task / s.out_channels, o = task % s.out_channels, group = o / group_out;
    const X* x = args.x + n * s.x.batch + group * group_in * s.x.channel;
    const W* w =
        args.w + (args.transposed ? group * group_in * args.w_in + o % group_out * args.w_out
                                  : o * args.w_out);
    const Sum x_zero = static_cast<Sum>(args.x_zero);
    const Sum w_zero = args.w_zero ? static_cast<Sum>(args.w_zero[o * args.w_zero_step]) : Sum(0);
    ForEachPosition(s, [&](int64_t d, int64_t h, int64_t p) {
      Sum sum = 0;
      const auto tap = [&](int64_t t, int64_t offset) {
        const X* from = x + offset;
        const W* weight = w + t * args.w_tap;
        for (int64_t c = 0; c < group_in; ++c) {
          sum += (static_cast<Sum>(from[c * s.x.channel]) - x_zero) *
                 (static_cast<Sum>(weight[c * args.w_in]) - w_zero);
        }
      };
      if (args.transposed) {
        ForEachSource(s, d, h, p, tap);
      } else {
        ForEachTap(s, d, h, p, tap);
      }
      out(sum, o, n * s.y.batch + o * s.y.channel + d * s.y.at[0] + h * s.y.at[1] + p * s.y.at[2]);
    });
  }
}

}  // namespace pare::kernels
