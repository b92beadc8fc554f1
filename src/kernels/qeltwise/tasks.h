// How element-wise work is cut. Shared by all rows, free of templates.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

// The part of [rows, cols] that belongs to a task.
struct QEltwiseCut {
  int64_t rows, cols, row_parts, col_parts;

  QEltwiseCut(int64_t rows_in, int64_t cols_in) : rows(rows_in), cols(cols_in) {
    constexpr int64_t kTaskElements = 1 << 16, kBlock = 64;
    const int64_t wanted = CeilDiv(rows * cols, kTaskElements);
    row_parts = MinInt(rows, wanted);
    col_parts = row_parts > 0 ? MinInt(CeilDiv(cols, kBlock), wanted / row_parts) : 0;
  }
  int64_t tasks() const { return row_parts * col_parts; }
  Range RowsOf(int64_t task) const { return PartOf(rows, row_parts, task / col_parts); }
  Range ColsOf(int64_t task) const { return PartOf(cols, col_parts, task % col_parts); }
};

}  // namespace pare::kernels
