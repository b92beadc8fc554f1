// Quantized convolution and matrix multiplication: u8 activations, s8 weights, exact int32 sums.
//
//   acc[p, n] = Σ (x[p, ·] − x_zero_point) · (w[n, ·] − w_zero_point[n]) + bias[n]       (int32,
//   wraps) u8 : y = clamp(rne(float(acc) · scale[n] (+ float(r − r_zero_point) · r_scale)) +
//   y_zero_point, lo, hi) f32: y = float(acc) · scale[n] s32: y = acc
// Products are rounded to float before they are added; the sum before it is rounded to an integer.
// Sums are exact, so every row gives the same bits, whatever the batch and the split into tasks.
//
// Activations are NHWC with a pixel stride (elements between neighbouring pixels, >= channels);
// rows and images follow each other without gaps: pixel (b, y, x) is at ((b·h + y)·w + x)·stride.
// Padding holds the zero point. A matrix multiplication [m, k] × [k, n] is a 1×1 convolution over m
// pixels: QGemmShape(). Depthwise shapes (groups == in_c == out_c) are found here too; their rows
// live in kernels/qdwconv.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

enum class QOut : uint8_t { kU8, kF32, kS32 };

struct QConvShape {
  int64_t batch = 1;
  int64_t in_h = 1, in_w = 1, in_c = 1;
  int64_t out_h = 1, out_w = 1, out_c = 1;
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0;  // bottom and right follow from out_h, out_w
  int64_t groups = 1;
  int64_t in_stride = 0, out_stride = 0;  // elements between pixels; 0 = in_c, out_c
  int64_t residual_stride = 0;            // 0 = out_c
  QOut out = QOut::kU8;
  bool residual = false;       // a run has one
  bool w_zero_points = false;  // the weights have them

  int64_t pixels() const { return batch * out_h * out_w; }
  int64_t group_in() const { return in_c / groups; }
  int64_t group_out() const { return out_c / groups; }
  int64_t taps() const { return kernel_h * kernel_w; }
  int64_t depth() const { return taps() * group_in(); }  // products in a sum
  int64_t x_stride() const { return in_stride != 0 ? in_stride : in_c; }
  int64_t y_stride() const { return out_stride != 0 ? out_stride : out_c; }
  int64_t r_stride() const { return residual_stride != 0 ? residual_stride : out_c; }
  bool depthwise() const { return groups == in_c && groups == out_c; }
};

inline QConvShape QGemmShape(int64_t m, int64_t k, int64_t n, QOut out = QOut::kU8) {
  return {.in_w = m, .in_c = k, .out_w = m, .out_c = n, .out = out};
}

// What is known before the first run. Arrays have out_c elements unless null.
struct QConvWeights {
  const int8_t* w = nullptr;      // [out_c, kernel_h, kernel_w, in_c/groups]
  bool transposed = false;        // w is [kernel_h, kernel_w, in_c/groups, out_c] (gemm: [k, n])
  const int32_t* bias = nullptr;  // null = 0
  const float* scale = nullptr;   // x_scale·w_scale[n]/y_scale; f32: x_scale·w_scale[n]; s32: null
  const int32_t* w_zero_point = nullptr;  // null = 0
  int32_t x_zero_point = 0;               // 0…255
};

struct QConvArgs {
  QConvShape shape;
  const void* packed = nullptr;  // what pack() wrote
  const uint8_t* x = nullptr;
  void* y = nullptr;  // u8, f32 or s32, by shape.out; doesn't overlap x
  // For u8 outputs:
  int32_t y_zero_point = 0;
  int32_t lo = 0, hi = 255;           // bounds of y; a fused Relu has lo = y_zero_point
  const uint8_t* residual = nullptr;  // of shapes with one; may be y itself
  int32_t residual_zero_point = 0;
  float residual_scale = 0;  // r_scale / y_scale
};

// The functions of a row. Packed weights are kAlignment-aligned, hold no pointers, and depend only
// on channels, kernel, groups and w_zero_points of the shape: they serve any batch, picture size,
// pixel stride and QOut for which FindQConv gives the same row.
struct QConvKernel {
  bool (*supports)(const QConvShape&);
  double (*cost)(const QConvShape&);
  int64_t (*packed_bytes)(const QConvShape&);
  void (*pack)(const QConvShape&, const QConvWeights&, void* packed) noexcept;
  // Tasks are independent and depend on the shape only; each call of run needs scratch_bytes of its
  // own.
  int64_t (*tasks)(const QConvShape&);
  int64_t (*scratch_bytes)(const QConvShape&);
  void (*run)(const QConvArgs&, int64_t task_begin, int64_t task_end, void* scratch) noexcept;
};

Rows<QConvKernel> QConvRows();

// Never null: the scalar row takes every shape.
const Row<QConvKernel>* FindQConv(const Cpu& cpu, const QConvShape& shape);

}  // namespace pare::kernels
