// Pooling of u8 activations, NHWC with pixel strides (see kernels/qconv/qconv.h).
//
//   max: the greatest input under the window; input and output share scale and zero point
//   avg: clamp(rne(float(Σ (x − x_zero_point)) · (scale / float(count))) + y_zero_point, lo, hi)
// where count is the number of inputs under the window, or with count_padding of all its taps. A
// window always holds an input. Global pooling is a window as large as the picture. Every row of
// the table gives the same bits.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

struct QPoolShape {
  int64_t batch = 1, channels = 1;
  int64_t in_h = 1, in_w = 1, out_h = 1, out_w = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0;
  int64_t in_stride = 0, out_stride = 0;  // elements between pixels; 0 = channels

  int64_t x_stride() const { return in_stride != 0 ? in_stride : channels; }
  int64_t y_stride() const { return out_stride != 0 ? out_stride : channels; }
  int64_t tasks() const { return batch * out_h; }  // a task is a row of output pixels
};

struct QPoolArgs {
  QPoolShape shape;
  const uint8_t* x = nullptr;
  uint8_t* y = nullptr;
  // For averages:
  bool count_padding = false;
  int32_t x_zero_point = 0, y_zero_point = 0;
  float scale = 1;  // x_scale / y_scale
  int32_t lo = 0, hi = 255;
};

using QPoolRun = void (*)(const QPoolArgs&, int64_t task_begin, int64_t task_end) noexcept;

struct QPoolKernel {
  QPoolRun max, avg;
};

Rows<QPoolKernel> QPoolRows();

// Never null.
const Row<QPoolKernel>* FindQPool(const Cpu& cpu);

}  // namespace pare::kernels
