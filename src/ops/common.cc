#include "ops/common.h"

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

int64_t OutputCount(const NodeView& view) {
  return view.output(0).has_rank() && view.output(0).is_static() ? Count(view.output(0).dims()) : 0;
}

}  // namespace pare::ops
