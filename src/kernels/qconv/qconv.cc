#include "kernels/qconv/qconv.h"

#include <iterator>

#include "kernels/qconv/reference.h"
#include "kernels/qdwconv/qdwconv.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The sum at output pixel (b, y, x), channel n. Padding holds the zero point, so it adds nothing.
int32_t ExactSum(const QConvArgs& args, const reference::Packed& p, int64_t b, int64_t y, int64_t x,
                 int64_t n) {
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

}  // namespace

extern constexpr QConvKernel qconv_u8s8_scalar = reference::MakeQConv<ExactSum>();

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
