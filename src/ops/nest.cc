#include "ops/nest.h"

namespace pare::ops {

Dims DenseSteps(const Dims& shape) {
  Dims steps(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    steps[i] = step;
    step *= shape[i];
  }
  return steps;
}

Nest BroadcastNest(const Dims& out, std::initializer_list<Dims> operands) {
  Nest nest;
  nest.loops.resize(out.size());
  for (size_t i = 0; i < out.size(); ++i) nest.loops[i].size = out[i];
  int operand = 0;
  for (const Dims& shape : operands) {
    const Dims steps = DenseSteps(shape);
    const size_t missing = out.size() - shape.size();
    for (size_t i = 0; i < shape.size(); ++i) {
      nest.loops[missing + i].step[operand] = shape[i] == 1 ? 0 : steps[i];
    }
    ++operand;
  }
  Simplify(nest);
  return nest;
}

void Simplify(Nest& nest) {
  std::vector<Nest::Loop> merged;
  for (const Nest::Loop& loop : nest.loops) {
    if (loop.size == 1) continue;
    bool joins = !merged.empty();
    for (int i = 0; i < kMaxOperands && joins; ++i) {
      joins = merged.back().step[i] == loop.step[i] * loop.size;
    }
    if (joins) {
      merged.back().size *= loop.size;
      merged.back().step = loop.step;
    } else {
      merged.push_back(loop);
    }
  }
  nest.loops = std::move(merged);
}

RowTasks::RowTasks(Nest nest) : nest_(std::move(nest)) {
  while (nest_.loops.size() < 2) nest_.loops.insert(nest_.loops.begin(), Nest::Loop{});
  columns_ = nest_.loops.back();
  rows_ = nest_.loops[nest_.loops.size() - 2];
  total_rows_ = 1;
  for (size_t i = 0; i + 1 < nest_.loops.size(); ++i) total_rows_ *= nest_.loops[i].size;
  if (columns_.size == 0 || total_rows_ == 0) return;
  parts_ = (columns_.size + kTaskElements - 1) / kTaskElements;
  part_ = (columns_.size + parts_ - 1) / parts_;
  if (parts_ > 1) {
    part_ = (part_ + 63) / 64 * 64;  // whole cache lines
    parts_ = (columns_.size + part_ - 1) / part_;
    tasks_ = total_rows_ * parts_;
  } else {
    group_ = std::max<int64_t>(1, kTaskElements / columns_.size);
    tasks_ = (total_rows_ + group_ - 1) / group_;
  }
}

RowTasks::Piece RowTasks::At(int64_t row) const noexcept {
  Piece piece{1, columns_.size, {}, row * columns_.size};
  for (size_t i = nest_.loops.size() - 1; i-- > 0;) {
    const Nest::Loop& loop = nest_.loops[i];
    for (int operand = 0; operand < kMaxOperands; ++operand) {
      piece.offset[operand] += row % loop.size * loop.step[operand];
    }
    row /= loop.size;
  }
  return piece;
}

}  // namespace pare::ops
