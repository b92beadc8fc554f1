// [batch, rows, columns] → [batch, columns, rows] of 4-byte elements, in blocks that stay in the
// first cache: what turns pictures of planes into pictures of pixels and back.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pare::kernels {

struct Transpose2dShape {
  int64_t batch = 1, rows = 1, columns = 1;

  static constexpr int64_t kBlock = 16;
  int64_t blocks() const { return (rows + kBlock - 1) / kBlock; }
  int64_t tasks() const { return batch * blocks(); }
};

template <typename T>
void Transpose2d(const Transpose2dShape& s, const T* x, T* y, int64_t task_begin,
                 int64_t task_end) noexcept {
  constexpr int64_t kBlock = Transpose2dShape::kBlock;
  for (int64_t task = task_begin; task < task_end; ++task) {
    const int64_t image = task / s.blocks() * s.rows * s.columns;
    const int64_t row_begin = task % s.blocks() * kBlock;
    const int64_t row_end = std::min(row_begin + kBlock, s.rows);
    for (int64_t first = 0; first < s.columns; first += kBlock) {
      const int64_t last = std::min(first + kBlock, s.columns);
      for (int64_t c = first; c < last; ++c) {
        const T* from = x + image + c;
        T* to = y + image + c * s.rows;
        for (int64_t r = row_begin; r < row_end; ++r) to[r] = from[r * s.columns];
      }
    }
  }
}

}  // namespace pare::kernels
