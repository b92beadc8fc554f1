// Planes of 4-byte elements in squares, and of three rows (the colours of a picture) by
// interleaving; compiled per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/transpose/transpose.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

template <typename T>
PARE_INLINE void OneByOne(const T* x, int64_t x_row, T* y, int64_t y_row, int64_t rows,
                          int64_t columns) {
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) y[c * y_row + r] = x[r * x_row + c];
  }
}

// Needs y_row = 3: what lies between the columns of y is none of ours.
template <typename T, int kAtOnce>
PARE_INLINE void ThreeRows(const T* x, int64_t x_row, T* y, int64_t columns) {
  const int64_t whole = columns - columns % kAtOnce;
  for (int64_t c = 0; c < whole; c += kAtOnce) {
    Interleave3(x + c, x + x_row + c, x + 2 * x_row + c, y + 3 * c);
  }
  OneByOne(x + whole, x_row, y + 3 * whole, 3, 3, columns - whole);
}

PARE_INLINE void Squares(const float* x, int64_t x_row, float* y, int64_t y_row, int64_t rows,
                         int64_t columns) {
  constexpr int64_t kSize = kTransposeSize, kStrip = 64 / sizeof(float);
  const int64_t whole_rows = rows - rows % kSize, whole = columns - columns % kSize;
  // A strip of y is as wide as a cache line, which so is written at once.
  for (int64_t strip = 0; strip < whole_rows; strip += kStrip) {
    const int64_t end = MinInt(whole_rows, strip + kStrip);
    for (int64_t c = 0; c < whole; c += kSize) {
      for (int64_t r = strip; r < end; r += kSize) {
        Transpose(x + r * x_row + c, x_row, y + c * y_row + r, y_row);
      }
    }
  }
  OneByOne(x + whole, x_row, y + whole * y_row, y_row, whole_rows, columns - whole);
  OneByOne(x + whole_rows * x_row, x_row, y + whole_rows, y_row, rows - whole_rows, columns);
}

inline void RunTranspose(const TransposeShape& shape, const TransposeArgs& args) noexcept {
  if (shape.element_bytes == 1) {
    const auto* x = static_cast<const uint8_t*>(args.x);
    auto* y = static_cast<uint8_t*>(args.y);
    if (args.rows == 3 && args.y_row == 3) {
      return ThreeRows<uint8_t, 16>(x, args.x_row, y, args.columns);
    }
    return OneByOne(x, args.x_row, y, args.y_row, args.rows, args.columns);
  }
  const auto* x = static_cast<const float*>(args.x);
  auto* y = static_cast<float*>(args.y);
  if (args.rows == 3 && args.y_row == 3) {
    return ThreeRows<float, kTransposeSize>(x, args.x_row, y, args.columns);
  }
  Squares(x, args.x_row, y, args.y_row, args.rows, args.columns);
}

inline bool SupportsTranspose(const TransposeShape& shape) {
  return shape.element_bytes == 4 || (shape.element_bytes == 1 && shape.rows == 3);
}

inline constexpr TransposeKernel kTransposeKernel{
    .supports = SupportsTranspose, .cost = nullptr, .run = RunTranspose};

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
