// Squeeze and Unsqueeze: axes of size 1 go and come; the elements stay.
#include <algorithm>

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

// The axes as flags of a tensor of `rank`.
Result<std::vector<bool>> AxisFlags(const std::vector<int64_t>& axes, int rank) {
  std::vector<bool> flags(rank);
  for (int64_t axis : axes) {
    PARE_ASSIGN(const int at, NormalizeAxis(axis, rank, "axes"));
    if (flags[at]) return Invalid(Text("axis ", axis, " is named twice"));
    flags[at] = true;
  }
  return flags;
}

void PassDims(InferContext& context) {
  const auto& type = context.output(0);
  if (!type.shape || type.shape->size() > 1) return;
  if (const Shape* dims = context.dims_value(0)) context.set_dims_value(0, *dims);
}

Status InferSqueeze(InferContext& context) {
  const Shape* shape = context.shape(0);
  const auto axes = context.ints(1);
  if (!shape || (context.has_input(1) && !axes)) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  std::vector<bool> goes(shape->size());
  if (axes) {
    PARE_ASSIGN(goes, AxisFlags(*axes, static_cast<int>(shape->size())));
  } else {
    for (size_t i = 0; i < shape->size(); ++i) {
      if (!(*shape)[i].known() && !(*shape)[i].is_symbol()) {
        context.set_output(0, context.dtype(0));  // it may be 1
        return {};
      }
      goes[i] = (*shape)[i] == Dim(1);
    }
  }
  Shape out;
  for (size_t i = 0; i < shape->size(); ++i) {
    const Dim dim = (*shape)[i];
    if (!goes[i]) {
      out.push_back(dim);
    } else if (dim.known() && dim.size() != 1) {
      return Invalid(Text("axis ", i, " has the size ", dim.size(), ", not 1"));
    }
  }
  context.set_output(0, context.dtype(0), std::move(out));
  PassDims(context);
  return {};
}

Status InferUnsqueeze(InferContext& context) {
  const Shape* shape = context.shape(0);
  const auto axes = context.ints(1);
  if (!shape || !axes) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  PARE_ASSIGN(const auto comes, AxisFlags(*axes, static_cast<int>(shape->size() + axes->size())));
  Shape out;
  size_t at = 0;
  for (bool is_new : comes) out.push_back(is_new ? Dim(1) : (*shape)[at++]);
  context.set_output(0, context.dtype(0), std::move(out));
  PassDims(context);
  return {};
}

Status PrepareAlias(PrepareContext& context) {
  context.Alias(0);
  return {};
}

}  // namespace

extern constinit const OpDef kSqueeze{.name = "Squeeze",
                                      .inputs = {{{"x"}, {"axes", Presence::kOptional}}},
                                      .outputs = {{{"y"}}},
                                      .infer = InferSqueeze,
                                      .prepare = PrepareAlias,
                                      .grad = {.emit = GradOfView},
                                      .quant = kSameScaleRule,
                                      .channels = {.tie = TieView}};

extern constinit const OpDef kUnsqueeze{.name = "Unsqueeze",
                                        .inputs = {{{"x"}, {"axes"}}},
                                        .outputs = {{{"y"}}},
                                        .infer = InferUnsqueeze,
                                        .prepare = PrepareAlias,
                                        .grad = {.emit = GradOfView},
                                        .quant = kSameScaleRule,
                                        .channels = {.tie = TieView}};

}  // namespace pare::ops
