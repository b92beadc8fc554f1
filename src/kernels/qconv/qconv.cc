#include "kernels/qconv/qconv.h"

#include <iterator>

#include "kernels/qdwconv/qdwconv.h"
#include "kernels/requantize.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

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

void Pack(const QConvShape& s, const QConvWeights& weights, void* packed) noexcept {
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

// The sum at output pixel (b, y, x), channel n. Padding holds the zero point, so it adds nothing.
int32_t Sum(const QConvArgs& args, const Packed& p, int64_t b, int64_t y, int64_t x, int64_t n) {
  const QConvShape& s = args.shape;
  const int64_t channels = s.group_in(), first = n / s.group_out() * channels;
  const int8_t* w = p.w + n * s.depth();
  uint32_t sum = static_cast<uint32_t>(p.bias[n]);
  for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
    const int64_t iy = y * s.stride_h - s.pad_top + ky * s.dilation_h;
    for (int64_t kx = 0; kx < s.kernel_w; ++kx, w += channels) {
      const int64_t ix = x * s.stride_w - s.pad_left + kx * s.dilation_w;
      if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
      const uint8_t* from = args.x + ((b * s.in_h + iy) * s.in_w + ix) * s.x_stride() + first;
      for (int64_t c = 0; c < channels; ++c) {
        sum += static_cast<uint32_t>((from[c] - *p.x_zero_point) * (w[c] - p.w_zero_point[n]));
      }
    }
  }
  return static_cast<int32_t>(sum);
}

void Finish(const QConvArgs& args, const Packed& p, int64_t pixel, int64_t n, int32_t sum) {
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
int64_t Tasks(const QConvShape& s) { return s.batch * s.out_h; }

void Run(const QConvArgs& args, int64_t task_begin, int64_t task_end, void*) noexcept {
  const QConvShape& s = args.shape;
  const Packed p(s, args.packed);
  for (int64_t task = task_begin; task < task_end; ++task) {
    const int64_t b = task / s.out_h, y = task % s.out_h;
    for (int64_t x = 0; x < s.out_w; ++x) {
      for (int64_t n = 0; n < s.out_c; ++n) {
        Finish(args, p, task * s.out_w + x, n, Sum(args, p, b, y, x, n));
      }
    }
  }
}

}  // namespace

extern constexpr QConvKernel qconv_u8s8_scalar{
    .supports = [](const QConvShape&) { return true; },
    .cost = nullptr,
    .packed_bytes = Packed::Bytes,
    .pack = Pack,
    .tasks = Tasks,
    .scratch_bytes = [](const QConvShape&) { return int64_t{0}; },
    .run = Run};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(QConvKernel, isa, symbol)
#include "kernels/qconv/qconv.inc"
#undef PARE_KERNEL

Rows<QConvKernel> QConvRows() {
  static constexpr Row<QConvKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/qconv/qconv.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<QConvKernel>* FindQConv(const Cpu& cpu, const QConvShape& shape) {
  if (shape.depthwise()) {
    if (const auto* row = FindQDwConv(cpu, shape)) return row;
  }
  return FindRow(QConvRows(), cpu, shape);
}

}  // namespace pare::kernels
