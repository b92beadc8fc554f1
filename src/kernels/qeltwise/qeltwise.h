// Quantized element by element: to and from u8, from one u8 scale to another, sums, products,
// tables.
//
// Bytes are u8 with a zero point; the caller turns s8 into u8 by flipping the sign bit (zero point
// + 128). Every row of the table gives the same bits.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

// `rows` rows of `cols` elements; strides are in elements from row to row, 0 repeats the one row of
// an input. So an input may be a tensor, a row for all (a channel's value at every pixel), or with
// b_step 0 one value a row. y may be an input of the same type and strides, else it overlaps none.
struct QEltwiseArgs {
  int64_t rows = 1, cols = 0;
  const void* a = nullptr;  // u8, or f32 for quantize
  int64_t a_stride = 0;
  const uint8_t* b = nullptr;
  int64_t b_stride = 0;
  int64_t b_step = 1;  // 1, or 0: a row of b is one value
  void* y = nullptr;   // u8, or f32 for dequantize
  int64_t y_stride = 0;
  int32_t a_zero_point = 0, b_zero_point = 0, y_zero_point = 0;
  float a_scale = 1, b_scale = 1;
  int32_t lo = 0, hi = 255;  // bounds of u8 outputs
  uint8_t flip = 0;  // xor on u8 outputs of quantize, on u8 inputs of dequantize: 0x80 for s8
  const uint8_t* table = nullptr;  // [256]
};

using QEltwiseRun = void (*)(const QEltwiseArgs&, int64_t task_begin, int64_t task_end) noexcept;

// With q(v) = clamp(rne(v) + y_zero_point, lo, hi), A = a - a_zero_point, B = b - b_zero_point:
struct QEltwiseKernel {
  QEltwiseRun quantize;    // q(a / a_scale); NaN gives lo
  QEltwiseRun dequantize;  // float(A) · a_scale
  QEltwiseRun requantize;  // q(float(A) · a_scale)
  QEltwiseRun add;         // q(float(A) · a_scale + float(B) · b_scale)
  QEltwiseRun mul;         // q(float(A · B) · a_scale)
  QEltwiseRun lookup;      // table[a]
};

// Tasks are independent: ranges of rows, or of columns where there are few rows.
int64_t QEltwiseTasks(int64_t rows, int64_t cols);

Rows<QEltwiseKernel> QEltwiseRows();

// Never null.
const Row<QEltwiseKernel>* FindQEltwise(const Cpu& cpu);

}  // namespace pare::kernels
