#include "kernels/qsaturating/qsaturating.h"

#include <iterator>

#include "kernels/qconv/reference.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

// Σ x · w pair by pair, with what the zero points take away.
class PairedSum {
 public:
  void Add(uint8_t x, int8_t w) {
    inputs_ += x;
    weights_ += static_cast<uint32_t>(w);
    if (half_) {
      sum_ += static_cast<uint32_t>(SaturatingPair(x_, w_, x, w));
    } else {
      x_ = x, w_ = w;
    }
    half_ = !half_;
  }
  uint32_t products() const { return sum_ + static_cast<uint32_t>(half_ ? x_ * w_ : 0); }
  uint32_t inputs() const { return inputs_; }
  uint32_t weights() const { return weights_; }

 private:
  uint32_t sum_ = 0, inputs_ = 0, weights_ = 0;
  bool half_ = false;  // x_ and w_ wait for their neighbours
  uint8_t x_ = 0;
  int8_t w_ = 0;
};

int32_t SaturatingSum(const QConvArgs& args, const reference::Packed& p, int64_t b, int64_t y,
                      int64_t x, int64_t n) {
  const QConvShape& s = args.shape;
  const int64_t channels = s.group_in(), first = n / s.group_out() * channels;
  const auto zero_point = static_cast<uint32_t>(*p.x_zero_point);
  const int8_t* w = p.w + n * s.depth();
  PairedSum sum;
  for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
    const int64_t iy = y * s.stride_h - s.pad_top + ky * s.dilation_h;
    for (int64_t kx = 0; kx < s.kernel_w; ++kx, w += channels) {
      const int64_t ix = x * s.stride_w - s.pad_left + kx * s.dilation_w;
      const bool inside = iy >= 0 && iy < s.in_h && ix >= 0 && ix < s.in_w;
      const int64_t at = ((b * s.in_h + iy) * s.in_w + ix) * s.x_stride() + first;
      for (int64_t c = 0; c < channels; ++c) {
        sum.Add(inside ? args.x[at + c] : static_cast<uint8_t>(zero_point), w[c]);
      }
    }
  }
  const uint32_t centred = sum.inputs() - zero_point * static_cast<uint32_t>(s.depth());
  return static_cast<int32_t>(static_cast<uint32_t>(p.bias[n]) + sum.products() -
                              zero_point * sum.weights() -
                              static_cast<uint32_t>(p.w_zero_point[n]) * centred);
}

}  // namespace

extern constexpr QConvKernel qsaturating_u8s8_scalar = reference::MakeQConv<SaturatingSum>();

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(QConvKernel, isa, symbol)
#include "kernels/qsaturating/qsaturating.inc"
#undef PARE_KERNEL

Rows<QConvKernel> QSaturatingRows() {
  static constexpr Row<QConvKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/qsaturating/qsaturating.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<QConvKernel>* FindQSaturating(const Cpu& cpu, const QConvShape& shape) {
  return FindRow(QSaturatingRows(), cpu, shape);
}

}  // namespace pare::kernels
