#include "passes/layout.h"

#include <algorithm>

namespace pare::passes {

using graph::Dim;
using graph::Ints;
using graph::Shape;

Ints ToLast(int rank) {
  Ints perm = {0};
  for (int i = 2; i < rank; ++i) perm.push_back(i);
  perm.push_back(1);
  return perm;
}

Ints ToFirst(int rank) {
  Ints perm = {0, rank - 1};
  for (int i = 1; i < rank - 1; ++i) perm.push_back(i);
  return perm;
}

graph::TensorType Permuted(const graph::TensorType& type, std::span<const int64_t> perm) {
  graph::TensorType permuted = type;
  if (!type.shape) return permuted;
  for (size_t i = 0; i < perm.size(); ++i) (*permuted.shape)[i] = (*type.shape)[perm[i]];
  return permuted;
}

int64_t AxisInLast(int64_t axis, int rank) {
  if (axis < 0) axis += rank;
  return axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1;
}

std::optional<Ints> ReshapeTarget(const Shape& from, const Shape& to) {
  Ints target;
  bool inferred = false;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i].known()) {
      if (to[i].size() == 0) return std::nullopt;  // 0 means something else in a target
      target.push_back(to[i].size());
    } else if (i < from.size() && to[i].Same(from[i])) {
      target.push_back(0);
    } else if (!inferred) {
      inferred = true;
      target.push_back(-1);
    } else {
      return std::nullopt;
    }
  }
  return target;
}

bool OneOf(std::string_view op, std::initializer_list<std::string_view> ops) {
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

bool IsReshape(const Shape& shape, std::span<const int64_t> perm) {
  int64_t last = -1;
  for (int64_t axis : perm) {
    if (shape[axis] == Dim(1)) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

}  // namespace pare::passes
