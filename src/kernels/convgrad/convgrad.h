// f32 gradient of a convolution of channels-last images by its weights:
//   dw[o, ky, kx, i] = Σ over n, oy, ox of dy[n, oy, ox, o] · x[n, iy, ix, i]
// with iy = oy · stride_h - pad_top + ky · dilation_h and ix likewise, where i runs over the input
// channels of o's group; what lies outside of the image counts as zero. With one tap and no strides
// this is the product of two matrices over their rows, Aᵀ · B.
#pragma once

#include "kernels/conv/conv.h"

namespace pare::kernels {

// dw overlaps neither x nor dy.
struct ConvGradArgs {
  ConvShape shape;            // of the convolution
  const float* x = nullptr;   // [batch, in_h, in_w, in_c], pixels in_stride apart
  const float* dy = nullptr;  // [batch, out_h, out_w, out_c], pixels out_stride apart
  float* dw = nullptr;        // [out_c, kernel_h, kernel_w, in_c / groups]
  float* partials = nullptr;  // partial_bytes(shape), aligned to kAlignment
};

// The functions of a row. Where the weights are few, the pixels are cut into parts with sums of
// their own: when all tasks of run() are done, those of sum() add them up. Everything is cut by the
// shape, so that the result does not depend on who does which task.
struct ConvGradKernel {
  bool (*supports)(const ConvShape&);
  double (*cost)(const ConvShape&);
  int64_t (*partial_bytes)(const ConvShape&);
  // Tasks are independent; each needs scratch_bytes of its own.
  int64_t (*tasks)(const ConvShape&);
  int64_t (*scratch_bytes)(const ConvShape&);
  void (*run)(const ConvGradArgs&, int64_t task_begin, int64_t task_end, void* scratch) noexcept;
  int64_t (*sum_tasks)(const ConvShape&);  // 0: run() leaves nothing to do
  void (*sum)(const ConvGradArgs&, int64_t task_begin, int64_t task_end) noexcept;
};

Rows<ConvGradKernel> ConvGradRows();

// Never null: the scalar row takes every shape.
const Row<ConvGradKernel>* FindConvGrad(const Cpu& cpu, const ConvShape& shape);

}  // namespace pare::kernels
