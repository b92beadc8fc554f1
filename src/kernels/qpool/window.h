// The part of a pooling window that lies over the picture. Shared by all rows, free of templates.
#pragma once

#include "kernels/qpool/qpool.h"

namespace pare::kernels {

// Taps [begin, end) of a window at `start` that fall into [0, size).
constexpr Range TapsInside(int64_t start, int64_t taps, int64_t dilation, int64_t size) {
  const int64_t begin = start < 0 ? CeilDiv(-start, dilation) : 0;
  const int64_t end = start < size ? CeilDiv(size - start, dilation) : 0;
  return {MinInt(begin, taps), MaxInt(MinInt(begin, taps), MinInt(end, taps))};
}

struct QPoolWindow {
  const uint8_t* first;  // the first input under the window
  int64_t rows, cols;    // inputs under it
  int64_t row_step, col_step;
  float scale;  // of the sum

  PARE_INLINE QPoolWindow(const QPoolArgs& args, int64_t row, int64_t x) {
    const QPoolShape& s = args.shape;
    const int64_t top = row % s.out_h * s.stride_h - s.pad_top, left = x * s.stride_w - s.pad_left;
    const Range ys = TapsInside(top, s.kernel_h, s.dilation_h, s.in_h);
    const Range xs = TapsInside(left, s.kernel_w, s.dilation_w, s.in_w);
    rows = ys.size();
    cols = xs.size();
    row_step = s.dilation_h * s.in_w * s.x_stride();
    col_step = s.dilation_w * s.x_stride();
    const int64_t in_y = row / s.out_h * s.in_h + top + ys.begin * s.dilation_h;
    first = args.x + (in_y * s.in_w + left + xs.begin * s.dilation_w) * s.x_stride();
    const int64_t count = args.count_padding ? s.kernel_h * s.kernel_w : rows * cols;
    scale = args.scale / static_cast<float>(count);
  }
};

}  // namespace pare::kernels
