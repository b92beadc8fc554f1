// Pooling of one to three dimensions in any layout and type. A task is one channel of one image:
// tasks = batch · channels.
#pragma once

#include <cmath>

#include "kernels/plain/window.h"

namespace pare::kernels {

template <typename F>
void ForEachPooled(const WindowShape& s, int64_t task_begin, int64_t task_end, F&& f) {
  for (int64_t task = task_begin; task < task_end; ++task) {
    const int64_t n = task / s.channels, c = task % s.channels;
    const int64_t x = n * s.x.batch + c * s.x.channel, y = n * s.y.batch + c * s.y.channel;
    ForEachPosition(s, [&](int64_t d, int64_t h, int64_t w) {
      f(x, y + d * s.y.at[0] + h * s.y.at[1] + w * s.y.at[2], d, h, w);
    });
  }
}

// The largest element of each window (NaN loses), the first of equals; `indices`, if not null, gets
// its offset in x. A window that lies in the padding altogether gives the lowest value.
template <typename T>
void MaxPoolNd(const WindowShape& s, T lowest, const T* x, T* y, int64_t* indices,
               int64_t task_begin, int64_t task_end) {
  ForEachPooled(s, task_begin, task_end,
                [&](int64_t from, int64_t to, int64_t d, int64_t h, int64_t w) {
                  T best = lowest;
                  int64_t index = -1;
                  ForEachTap(s, d, h, w, [&](int64_t, int64_t offset) {
                    const T value = x[from + offset];
                    if (index < 0 || value > best) {
                      best = value;
                      index = from + offset;
                    }
                  });
                  y[to] = best;
                  if (indices) indices[to] = index;
                });
}

// How many taps of a window are counted by count_include_pad: those within the padded input. What
// ceil_mode adds beyond the padding is not.
inline int64_t PaddedTaps(const WindowShape& s, int64_t d, int64_t h, int64_t w) {
  const int64_t position[3] = {d, h, w};
  int64_t count = 1;
  for (int i = 0; i < 3; ++i) {
    int64_t inside = 0;
    for (int64_t k = 0; k < s.kernel[i]; ++k) {
      inside += position[i] * s.stride[i] - s.pad[i] + k * s.dilation[i] < s.in[i] + s.pad_end[i];
    }
    count *= inside;
  }
  return count;
}

inline void AveragePoolNd(const WindowShape& s, bool count_include_pad, const float* x, float* y,
                          int64_t task_begin, int64_t task_end) {
  ForEachPooled(s, task_begin, task_end,
                [&](int64_t from, int64_t to, int64_t d, int64_t h, int64_t w) {
                  float sum = 0;
                  int64_t taps = 0;
                  ForEachTap(s, d, h, w, [&](int64_t, int64_t offset) {
                    sum += x[from + offset];
                    ++taps;
                  });
                  if (count_include_pad) taps = PaddedTaps(s, d, h, w);
                  y[to] = taps > 0 ? sum / static_cast<float>(taps) : 0.0f;
                });
}

// y = (Σ |x|^p)^(1/p).
inline void LpPoolNd(const WindowShape& s, int64_t p, const float* x, float* y, int64_t task_begin,
                     int64_t task_end) {
  const double power = static_cast<double>(p);
  ForEachPooled(s, task_begin, task_end,
                [&](int64_t from, int64_t to, int64_t d, int64_t h, int64_t w) {
                  double sum = 0;
                  ForEachTap(s, d, h, w, [&](int64_t, int64_t offset) {
                    sum += std::pow(std::fabs(static_cast<double>(x[from + offset])), power);
                  });
                  y[to] = static_cast<float>(std::pow(sum, 1.0 / power));
                });
}

}  // namespace pare::kernels
