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
  // weights: [out_c, kernel_h, kernel_w, in_c / groups]; bias: [out_c] or null.
  void (*pack)(const ConvShape&, const float* weights, const float* bias, void* packed) noexcept;
  // Tasks are independent and depend on the shape only; each needs scratch_bytes of its own.
  int64_t (*tasks)(const ConvShape&);
  int64_t (*scratch_bytes)(const ConvShape&);
  void (*run)(const ConvArgs&, int64_t task_begin, int64_t task_end, void* scratch) noexcept;
};

Rows<ConvKernel> ConvRows();

// Never null: the scalar row takes every shape.
const Row<ConvKernel>* FindConv(const Cpu& cpu, const ConvShape& shape);

}  // namespace pare::kernels
