// Quantized convolution and matrix multiplication as an engine computes them that has no VNNI: it
// multiplies with vpmaddubsw, which adds the products of two neighbours in 16 bits, where
// 255 · 127 · 2 does not fit, and saturates. The sums of pairs are then added in 32 bits.
//
// The contract, shapes and arguments are those of kernels/qconv/qconv.h, but
//   acc[p, n] = Σ SaturatingPair(two neighbours of x[p, ·], of w[n, ·]) + bias[n]
//               − x_zero_point · Σ w − w_zero_point[n] · Σ (x − x_zero_point)
// Neighbours are 2i and 2i + 1 in the order of the sum, [kernel_h, kernel_w, in_c/groups]: where
// that order is laid out in memory (im2col) and packed four by four, engines pair so. A pair spans
// two taps where in_c/groups is odd, which depthwise convolutions always are: engines differ
// there, and this is the worse case (many compute them without saturation). Padding holds
// the zero point.
//
// FindQConv never gives one of these rows.
#pragma once

#include "kernels/qconv/qconv.h"

namespace pare::kernels {

// One lane of vpmaddubsw.
constexpr int32_t SaturatingPair(uint8_t x0, int8_t w0, uint8_t x1, int8_t w1) {
  const int32_t sum = x0 * w0 + x1 * w1;
  return sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum;
}

Rows<QConvKernel> QSaturatingRows();

// Never null: the scalar row takes every shape.
const Row<QConvKernel>* FindQSaturating(const Cpu& cpu, const QConvShape& shape);

}  // namespace pare::kernels
