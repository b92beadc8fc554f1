// Windows over one to three spatial dimensions in any layout, one plain loop for each operator: for
// the ranks and types that the tuned families don't take. Not for the translation units of an ISA.
#pragma once

#include <cstdint>

namespace pare::kernels {

// Distances in elements between neighbours of an image.
struct ImageStrides {
  int64_t batch = 0, channel = 0;
  int64_t at[3] = {};
};

// Depth, height, width; dimensions that are not there have extents of 1.
struct WindowShape {
  int64_t batch = 1, channels = 1, out_channels = 1;
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1};
  int64_t kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1}, dilation[3] = {1, 1, 1};
  int64_t pad[3] = {}, pad_end[3] = {};
  ImageStrides x{}, y{};

  int64_t out_pixels() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

// Calls f(d, h, w) for every output position.
template <typename F>
void ForEachPosition(const WindowShape& s, F&& f) {
  for (int64_t d = 0; d < s.out[0]; ++d)
    for (int64_t h = 0; h < s.out[1]; ++h)
      for (int64_t w = 0; w < s.out[2]; ++w) f(d, h, w);
}

// Calls f(tap, x_offset) for the taps of the window at output position (d, h, w) that lie inside
// the input; taps are counted in the order depth, height, width.
template <typename F>
void ForEachTap(const WindowShape& s, int64_t d, int64_t h, int64_t w, F&& f) {
  const auto inside = [&s](int axis, int64_t at) { return at >= 0 && at < s.in[axis]; };
  for (int64_t kd = 0; kd < s.kernel[0]; ++kd) {
    const int64_t xd = d * s.stride[0] - s.pad[0] + kd * s.dilation[0];
    if (!inside(0, xd)) continue;
    for (int64_t kh = 0; kh < s.kernel[1]; ++kh) {
      const int64_t xh = h * s.stride[1] - s.pad[1] + kh * s.dilation[1];
      if (!inside(1, xh)) continue;
      for (int64_t kw = 0; kw < s.kernel[2]; ++kw) {
        const int64_t xw = w * s.stride[2] - s.pad[2] + kw * s.dilation[2];
        if (!inside(2, xw)) continue;
        f((kd * s.kernel[1] + kh) * s.kernel[2] + kw,
          xd * s.x.at[0] + xh * s.x.at[1] + xw * s.x.at[2]);
      }
    }
  }
}

// The same for a transposed convolution: the taps of the kernel through which an input element
// reaches output position (d, h, w).
template <typename F>
void ForEachSource(const WindowShape& s, int64_t d, int64_t h, int64_t w, F&& f) {
  const auto source = [&s](int axis, int64_t out, int64_t tap) -> int64_t {
    const int64_t at = out + s.pad[axis] - tap * s.dilation[axis];
    if (at < 0 || at % s.stride[axis] != 0 || at / s.stride[axis] >= s.in[axis]) return -1;
    return at / s.stride[axis];
  };
  for (int64_t kd = 0; kd < s.kernel[0]; ++kd) {
    const int64_t xd = source(0, d, kd);
    if (xd < 0) continue;
    for (int64_t kh = 0; kh < s.kernel[1]; ++kh) {
      const int64_t xh = source(1, h, kh);
      if (xh < 0) continue;
      for (int64_t kw = 0; kw < s.kernel[2]; ++kw) {
        const int64_t xw = source(2, w, kw);
        if (xw < 0) continue;
        f((kd * s.kernel[1] + kh) * s.kernel[2] + kw,
          xd * s.x.at[0] + xh * s.x.at[1] + xw * s.x.at[2]);
      }
    }
  }
}

}  // namespace pare::kernels
