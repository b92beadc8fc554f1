// f32 convolution of channels-last images: y = act(conv(x, w) + bias [+ residual]). One-dimensional
// convolution is the case of height 1; one group a channel is family dwconv.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

struct ConvShape {
  int64_t batch = 1;
  int64_t in_h = 1, in_w = 1, in_c = 1;
  int64_t out_h = 1, out_w = 1, out_c = 1;
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0;  // bottom and right follow from the output's size
  int64_t groups = 1;                 // divides in_c and out_c
  // Elements between neighbouring pixels: the channels, or more in a slice of a wider tensor.
  int64_t in_stride = 1, out_stride = 1, residual_stride = 1;

  int64_t pixels() const { return batch * out_h * out_w; }
  int64_t group_in() const { return in_c / groups; }
  int64_t group_out() const { return out_c / groups; }
  double macs() const {
    return static_cast<double>(pixels() * out_c) *
           static_cast<double>(kernel_h * kernel_w * group_in());
  }
};

// Where weights lie: that of output channel `o` and input channel `i` of group `g` at tap (y, x) is
// data[first + g · group + o · out + y · line + x · tap + i · in]. Steps may be negative, so that
// weights can be read turned round, and channels exchanged, without a copy.
struct ConvWeights {
  const float* data = nullptr;
  int64_t first = 0;
  int64_t group = 0, out = 0, line = 0, tap = 0, in = 0;

  const float* at(int64_t g, int64_t o, int64_t y, int64_t x, int64_t i) const {
    return data + first + g * group + o * out + y * line + x * tap + i * in;
  }
  // Every tap in the place of its opposite.
  ConvWeights TurnedRound(const ConvShape& s) const {
    ConvWeights turned = *this;
    turned.first += (s.kernel_h - 1) * line + (s.kernel_w - 1) * tap;
    turned.line = -line, turned.tap = -tap;
    return turned;
  }
  // Output and input channels in the place of each other.
  ConvWeights Exchanged() const {
    ConvWeights exchanged = *this;
    exchanged.out = in, exchanged.in = out;
    return exchanged;
  }
};

// Dense weights of `outer` · `inner` channels: [outer, kernel_h, kernel_w, inner], or [outer,
// inner, kernel_h, kernel_w].
enum class TapOrder : uint8_t { kFirst, kLast };
inline ConvWeights DenseWeights(const ConvShape& s, const float* data, TapOrder order,
                                int64_t outer_of_group, int64_t inner) {
  const int64_t taps = s.kernel_h * s.kernel_w;
  const int64_t tap = order == TapOrder::kFirst ? inner : 1;
  return {.data = data,
          .group = outer_of_group * taps * inner,
          .out = taps * inner,
          .line = s.kernel_w * tap,
          .tap = tap,
          .in = order == TapOrder::kFirst ? 1 : taps};
}
// Of a convolution: [out_c, …, in_c / groups].
inline ConvWeights DenseWeights(const ConvShape& s, const float* data,
                                TapOrder order = TapOrder::kFirst) {
  return DenseWeights(s, data, order, s.group_out(), s.group_in());
}
// Of a transposed convolution: [in_c, …, out_c / groups].
inline ConvWeights DenseTransposedWeights(const ConvShape& s, const float* data, TapOrder order) {
  return DenseWeights(s, data, order, s.group_in(), s.group_out()).Exchanged();
}

// y overlaps neither x nor the weights; residual may be y itself.
struct ConvArgs {
  ConvShape shape;
  const float* x = nullptr;      // [batch, in_h, in_w, in_c], pixels in_stride apart
  const void* packed = nullptr;  // what pack() wrote
  const float* residual =
      nullptr;         // [batch, out_h, out_w, out_c], pixels residual_stride apart, or null
  float* y = nullptr;  // [batch, out_h, out_w, out_c], pixels out_stride apart
  Activation activation;
};

// The functions of a row. Rows with the same `pack` share packed bytes, which depend on the
// weights' shape and the groups only.
struct ConvKernel {
  bool (*supports)(const ConvShape&);
  double (*cost)(const ConvShape&);
  int64_t (*packed_bytes)(const ConvShape&);
  // Packed bytes are made of panels that are independent: a step may hand out [0, panels) as tasks.
  // bias: [out_c] or null.
  int64_t (*panels)(const ConvShape&);
  void (*pack)(const ConvShape&, const ConvWeights& weights, const float* bias, int64_t panel_begin,
               int64_t panel_end, void* packed) noexcept;
  // Tasks are independent and depend on the shape only; each needs scratch_bytes of its own.
  int64_t (*tasks)(const ConvShape&);
  int64_t (*scratch_bytes)(const ConvShape&);
  void (*run)(const ConvArgs&, int64_t task_begin, int64_t task_end, void* scratch) noexcept;
};

Rows<ConvKernel> ConvRows();

// Never null: the scalar row takes every shape.
const Row<ConvKernel>* FindConv(const Cpu& cpu, const ConvShape& shape);

}  // namespace pare::kernels
