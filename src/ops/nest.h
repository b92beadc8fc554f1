// Loops over the elements of an output, with the distances that each operand moves: what
// broadcasting, slicing and transposing have in common.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "base/tensor.h"

namespace pare::ops {

inline constexpr int kMaxOperands = 3;
// Elements that one task handles: some microseconds of work.
inline constexpr int64_t kTaskElements = 16384;

// The tasks of a step that goes once through `count` elements.
inline int64_t ElementTasks(int64_t count) { return (count + kTaskElements - 1) / kTaskElements; }

// Outermost loop first; steps are in elements, 0 where an operand is repeated.
struct Nest {
  struct Loop {
    int64_t size = 1;
    std::array<int64_t, kMaxOperands> step{};
  };
  std::vector<Loop> loops;
};

// Distances between neighbours along each axis of a dense tensor.
Dims DenseSteps(const Dims& shape);
// The loops over `out` with the steps of operands that broadcast to it, merged as far as possible.
Nest BroadcastNest(const Dims& out, std::initializer_list<Dims> operands);
// Drops loops of size 1 and joins neighbours that all operands walk through as through one.
void Simplify(Nest& nest);

// A nest cut into tasks of about kTaskElements: groups of rows (a row is the innermost loop), or
// parts of rows where these are long. Depends on the shape only.
class RowTasks {
 public:
  RowTasks() = default;
  explicit RowTasks(Nest nest);

  int64_t tasks() const { return tasks_; }
  int64_t step(int operand) const { return columns_.step[operand]; }   // along a row
  int64_t row_step(int operand) const { return rows_.step[operand]; }  // between rows of a piece
  const Nest& nest() const { return nest_; }

  struct Piece {
    int64_t rows, columns;
    std::array<int64_t, kMaxOperands> offset;  // of each operand's first element
    int64_t out;                               // of the dense output's
  };
  // Calls f(piece) for all pieces of the tasks.
  template <typename F>
  void ForEach(int64_t begin, int64_t end, F&& f) const noexcept {
    if (parts_ > 1) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t column = task % parts_ * part_;
        Piece piece = At(task / parts_);
        piece.columns = std::min(part_, columns_.size - column);
        for (int i = 0; i < kMaxOperands; ++i) piece.offset[i] += column * columns_.step[i];
        piece.out += column;
        f(piece);
      }
      return;
    }
    const int64_t last = std::min(end * group_, total_rows_);
    for (int64_t row = begin * group_; row < last;) {
      Piece piece = At(row);
      piece.rows = std::min(last - row, rows_.size - row % rows_.size);
      row += piece.rows;
      f(piece);
    }
  }

 private:
  Piece At(int64_t row) const noexcept;

  Nest nest_;  // at least two loops
  Nest::Loop rows_, columns_;
  int64_t total_rows_ = 0, group_ = 1, parts_ = 1, part_ = 0, tasks_ = 0;
};

}  // namespace pare::ops
