// Copies a box of elements from one strided layout to another: what Slice, Concat, Split, Expand,
// Tile and Pad come to.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

inline constexpr int kMaxMoveLoops = 12;

// Nested loops, outermost first; the innermost is a row. Steps are in elements; `from` may be 0
// (repeat) or negative.
struct MoveBox {
  int64_t element_bytes = 4;  // 1, 2, 4 or 8
  int loops = 0;              // at least 1
  int64_t size[kMaxMoveLoops] = {};
  int64_t from[kMaxMoveLoops] = {};
  int64_t to[kMaxMoveLoops] = {};
};

int64_t MoveRows(const MoveBox& box);

// Moves the rows [row_begin, row_end), counted over all loops but the innermost. x and y are the
// places of the box's first element, and the two layouts do not overlap.
void Move(const MoveBox& box, const void* x, void* y, int64_t row_begin, int64_t row_end) noexcept;

// y[i] = element for `count` elements.
void Fill(int64_t element_bytes, const void* element, void* y, int64_t count) noexcept;

}  // namespace pare::kernels
