#include "ops/common.h"

#include <algorithm>

namespace pare::ops {

Status InferSameType(InferContext& context) {
  context.set_output(0, context.input(0));
  return {};
}

int64_t Count(const Dims& shape) {
  int64_t count = 1;
  for (int64_t dim : shape) count *= dim;
  return count;
}

bool IsAloneInInputs(const NodeView& view) {
  const auto& inputs = view.node().inputs;
  return std::count(inputs.begin(), inputs.end(), inputs[0]) == 1;
}

int64_t Work(std::initializer_list<int64_t> sizes) {
  constexpr int64_t kMost = int64_t{1} << 62;
  int64_t work = 1;
  for (int64_t size : sizes) {
    if (__builtin_mul_overflow(work, size, &work) || work > kMost) return kMost;
  }
  return work;
}

int64_t OutputCount(const NodeView& view) { return CountIfKnown(view.output(0)); }

int64_t CountIfKnown(const graph::TensorType& type) {
  return type.has_rank() && type.is_static() ? CountOf(type.dims()).value_or(0) : 0;
}

}  // namespace pare::ops
