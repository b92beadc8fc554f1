// Pooling of f32 images, channels last with pixel strides: the greatest input under the window, or
// the mean. Padding is no input; with count_padding its taps count in the mean's divisor, but not
// what lies beyond it (ceil_mode). The greatest of a window that holds NaN is not specified. Global
// pooling is a window as large as the picture.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

struct PoolShape {
  int64_t batch = 1, channels = 1;
  int64_t in_h = 1, in_w = 1, out_h = 1, out_w = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int64_t in_stride = 1, out_stride = 1;  // elements between neighbouring pixels, >= channels
  bool max = false;                       // else the mean
  bool count_padding = false;

  // A task is a part of the channels of a row of output pixels.
  int64_t channel_parts() const {
    const int64_t work = out_w * kernel_h * kernel_w * channels;
    return MaxInt(1, MinInt(channels / 64, work / 65536));
  }
  int64_t tasks() const { return batch * out_h * channel_parts(); }
};

struct PoolArgs {
  PoolShape shape;
  const float* x = nullptr;  // [batch, in_h, in_w, channels], pixels in_stride apart
  float* y = nullptr;        // [batch, out_h, out_w, channels], pixels out_stride apart
};

struct PoolKernel {
  bool (*supports)(const PoolShape&);
  double (*cost)(const PoolShape&);
  void (*run)(const PoolArgs&, int64_t task_begin, int64_t task_end) noexcept;
};

Rows<PoolKernel> PoolRows();

// Never null: the scalar row takes every shape.
const Row<PoolKernel>* FindPool(const Cpu& cpu, const PoolShape& shape);

// The taps [begin, end) of a window at `start` that lie in [0, size).
constexpr Range PoolTaps(int64_t start, int64_t taps, int64_t dilation, int64_t size) {
  const int64_t begin = start < 0 ? MinInt(taps, CeilDiv(-start, dilation)) : 0;
  const int64_t end = start < size ? MinInt(taps, CeilDiv(size - start, dilation)) : 0;
  return {begin, MaxInt(begin, end)};
}

// The window of output pixel (y, x) over an image.
struct PoolWindow {
  Range rows, columns;
  int64_t top, left;  // of the tap (0, 0)
  float count;        // what a sum is divided by

  PoolWindow(const PoolShape& s, int64_t y, int64_t x)
      : top(y * s.stride_h - s.pad_top), left(x * s.stride_w - s.pad_left) {
    rows = PoolTaps(top, s.kernel_h, s.dilation_h, s.in_h);
    columns = PoolTaps(left, s.kernel_w, s.dilation_w, s.in_w);
    const int64_t padded_rows =
        PoolTaps(top + s.pad_top, s.kernel_h, s.dilation_h, s.pad_top + s.in_h + s.pad_bottom)
            .size();
    const int64_t padded_columns =
        PoolTaps(left + s.pad_left, s.kernel_w, s.dilation_w, s.pad_left + s.in_w + s.pad_right)
            .size();
    count = static_cast<float>(
        MaxInt(1, s.count_padding ? padded_rows * padded_columns : rows.size() * columns.size()));
  }
};

}  // namespace pare::kernels
