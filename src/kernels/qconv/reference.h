// What the reference rows of quantized convolutions share: all but how a sum is formed. Not for the
// translation units of an ISA.
#pragma once

#include "kernels/qconv/qconv.h"
#include "kernels/requantize.h"

namespace pare::kernels::reference {

// Packed: for each output channel its weights in the order of the sum, then three arrays.
struct Packed {
  explicit Packed(const QConvShape& s, const void* packed) {
    bias = static_cast<const int32_t*>(packed);
    w_zero_point = bias + s.out_c;
    scale = reinterpret_cast<const float*>(w_zero_point + s.out_c);
    x_zero_point = reinterpret_cast<const int32_t*>(scale + s.out_c);
    w = reinterpret_cast<const int8_t*>(x_zero_point + 1);
  }
  static int64_t Bytes(const QConvShape& s) {
    return RoundUp(12 * s.out_c + 4 + s.out_c * s.depth(), kAlignment);
  }
  const int32_t *bias, *w_zero_point;
  const float* scale;
  const int32_t* x_zero_point;
  const int8_t* w;
};

template <typename T>
T& Mutable(const T& x) {
  return const_cast<T&>(x);
}

inline void Pack(const QConvShape& s, const QConvWeights& weights, void* packed) noexcept {
  const Packed to(s, packed);
  Mutable(*to.x_zero_point) = weights.x_zero_point;
  for (int64_t n = 0; n < s.out_c; ++n) {
    Mutable(to.bias[n]) = weights.bias ? weights.bias[n] : 0;
    Mutable(to.w_zero_point[n]) = weights.w_zero_point ? weights.w_zero_point[n] : 0;
    Mutable(to.scale[n]) = weights.scale ? weights.scale[n] : 0.0f;
    for (int64_t k = 0; k < s.depth(); ++k) {
      Mutable(to.w[n * s.depth() + k]) =
          weights.transposed ? weights.w[k * s.out_c + n] : weights.w[n * s.depth() + k];
    }
  }
}

inline void Finish(const QConvArgs& args, const Packed& p, int64_t pixel, int64_t n, int32_t sum) {
  const QConvShape& s = args.shape;
  const int64_t at = pixel * s.y_stride() + n;
  if (s.out == QOut::kS32) {
    static_cast<int32_t*>(args.y)[at] = sum;
    return;
  }
  float y = static_cast<float>(sum) * p.scale[n];
  if (s.out == QOut::kF32) {
    static_cast<float*>(args.y)[at] = y;
    return;
  }
  if (args.residual) {
    const int32_t r = args.residual[pixel * s.r_stride() + n] - args.residual_zero_point;
    y = y + static_cast<float>(r) * args.residual_scale;
  }
  static_cast<uint8_t*>(args.y)[at] = QuantizeOne(y, args.y_zero_point, args.lo, args.hi);
}

// A task is a row of output pixels.
inline int64_t Tasks(const QConvShape& s) { return s.batch * s.out_h; }

// The int32 sum, bias included, at output pixel (b, y, x), channel n.
using Sum = int32_t (*)(const QConvArgs&, const Packed&, int64_t b, int64_t y, int64_t x,
                        int64_t n);

template <Sum kSum>
void Run(const QConvArgs& args, int64_t task_begin, int64_t task_end, void*) noexcept {
  const QConvShape& s = args.shape;
  const Packed p(s, args.packed);
  for (int64_t task = task_begin; task < task_end; ++task) {
    const int64_t b = task / s.out_h, y = task % s.out_h;
    for (int64_t x = 0; x < s.out_w; ++x) {
      for (int64_t n = 0; n < s.out_c; ++n) {
        Finish(args, p, task * s.out_w + x, n, kSum(args, p, b, y, x, n));
      }
    }
  }
}

template <Sum kSum>
constexpr QConvKernel MakeQConv() {
  return {.supports = [](const QConvShape&) { return true; },
          .cost = nullptr,
          .packed_bytes = Packed::Bytes,
          .pack = Pack,
          .tasks = Tasks,
          .scratch_bytes = [](const QConvShape&) { return int64_t{0}; },
          .run = Run<kSum>};
}

}  // namespace pare::kernels::reference
