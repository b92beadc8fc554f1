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

int64_t OutputCount(const NodeView& view) { return CountIfKnown(view.output(0)); }

int64_t CountIfKnown(const graph::TensorType& type) {
  return type.has_rank() && type.is_static() ? CountOf(type.dims()).value_or(0) : 0;
}

}  // namespace pare::ops
