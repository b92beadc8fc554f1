// What the scalar rows of conv and deconv share. Not for the translation units of an ISA.
#pragma once

#include "kernels/activation.h"
#include "kernels/conv/conv.h"

namespace pare::kernels {

// The sum of one output, bias included.
using ConvSum = float(const ConvArgs& args, int64_t image, int64_t oy, int64_t ox, int64_t oc);

// Output by output; a task is a row of output pixels.
template <ConvSum& Sum>
void RunReference(const ConvArgs& args, int64_t task_begin, int64_t task_end, void*) noexcept {
  const ConvShape& s = args.shape;
  for (int64_t task = task_begin; task < task_end; ++task) {
    for (int64_t ox = 0; ox < s.out_w; ++ox) {
      const int64_t pixel = task * s.out_w + ox;
      for (int64_t oc = 0; oc < s.out_c; ++oc) {
        float sum = Sum(args, task / s.out_h, task % s.out_h, ox, oc);
        if (args.residual) sum += args.residual[pixel * s.residual_stride + oc];
        args.y[pixel * s.out_stride + oc] = Activate(args.activation, sum);
      }
    }
  }
}

}  // namespace pare::kernels
