// Concat and Split: along one axis.
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/dim_arithmetic.h"
#include "ops/grad.h"
#include "ops/move.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;
using kernels::BinaryFunction;

// What two shapes that must agree but along `axis` say together.
Status Merge(Shape& into, const Shape& other, int axis) {
  if (into.size() != other.size()) return Invalid("its inputs have different ranks");
  for (size_t i = 0; i < into.size(); ++i) {
    Dim& dim = into[i];
    if (static_cast<int>(i) == axis) {
      dim = DimArithmetic(BinaryFunction::kAdd, dim, other[i]);
    } else if (dim.known() && other[i].known() && dim != other[i]) {
      return Invalid(
          Text("its inputs have ", dim.size(), " and ", other[i].size(), " along axis ", i));
    } else if (other[i].known() || dim == Dim::Unknown()) {
      dim = other[i];
    }
  }
  return {};
}

// Pieces of shapes are put together; a piece of which only the count is known stays unknown.
void InferConcatDims(InferContext& context) {
  Shape dims;
  for (int i = 0; i < context.inputs(); ++i) {
    const Shape* piece = context.dims_value(i);
    const Shape* shape = context.shape(i);
    if (piece) {
      dims.insert(dims.end(), piece->begin(), piece->end());
    } else if (shape && shape->size() == 1 && (*shape)[0].known() && (*shape)[0].size() < 64) {
      dims.insert(dims.end(), (*shape)[0].size(), Dim::Unknown());
    } else {
      return;
    }
  }
  context.set_dims_value(0, std::move(dims));
}

Status InferConcat(InferContext& context) {
  const Shape* first = context.shape(0);
  if (!first) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  if (!context.attrs().has("axis")) return Invalid("its attribute axis is missing");
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 0), static_cast<int>(first->size())));
  Shape out = *first;
  for (int i = 1; i < context.inputs(); ++i) {
    if (!context.shape(i)) {
      context.set_output(0, context.dtype(0), Shape(first->size(), Dim::Unknown()));
      return {};
    }
    PARE_TRY(Merge(out, *context.shape(i), axis));
  }
  const bool shapes = out.size() == 1 && !IsFloat(context.dtype(0));
  context.set_output(0, context.dtype(0), std::move(out));
  if (shapes) InferConcatDims(context);
  return {};
}

Status PrepareConcat(PrepareContext& context) {
  const Dims out = context.output_shape(), steps = DenseSteps(out);
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 0), static_cast<int>(out.size())));
  std::vector<MovePart> parts;
  int64_t at = 0;
  for (int i = 0; i < context.inputs(); ++i) {
    if (context.dtype(i) != context.dtype(0)) {
      return Invalid("its inputs have different element types");
    }
    const Dims shape = context.shape(i);
    parts.push_back({MoveNest(shape, DenseSteps(shape), steps), i, 0, 0, at * steps[axis]});
    at += shape[axis];
  }
  return AddMoveStep(context, static_cast<int64_t>(SizeOf(context.dtype(0))), std::move(parts));
}

// The sizes of the parts; empty where they are not known. As equal as possible where none are
// given: the last is smaller (opset 18).
Result<Shape> SplitSizes(const InferContext& context, Dim whole) {
  if (const Shape* given = context.dims_value(1)) {
    if (std::ssize(*given) != context.outputs()) {
      return Invalid(Text(given->size(), " sizes for ", context.outputs(), " outputs"));
    }
    Dim sum = 0;
    for (Dim dim : *given) sum = DimArithmetic(BinaryFunction::kAdd, sum, dim);
    if (sum.known() && whole.known() && sum != whole) {
      return Invalid(Text("its sizes make ", sum.size(), " of ", whole.size()));
    }
    return *given;
  }
  Shape sizes(context.outputs(), Dim::Unknown());
  if (context.has_input(1) || !whole.known()) return sizes;
  const int64_t part = (whole.size() + context.outputs() - 1) / context.outputs();
  int64_t left = whole.size();
  for (Dim& size : sizes) {
    size = std::min(part, left);
    left -= size.size();
  }
  return sizes;
}

Status InferSplit(InferContext& context) {
  const Shape* shape = context.shape(0);
  if (!shape) {
    for (int i = 0; i < context.outputs(); ++i) context.set_output(i, context.dtype(0));
    return {};
  }
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 0), static_cast<int>(shape->size())));
  PARE_ASSIGN(const Shape sizes, SplitSizes(context, (*shape)[axis]));
  const Shape* dims = context.dims_value(0);
  const Shape known = dims ? *dims : Shape();
  size_t at = 0;
  for (int i = 0; i < context.outputs(); ++i) {
    Shape part = *context.shape(0);
    part[axis] = sizes[i];
    context.set_output(i, context.dtype(0), std::move(part));
    const size_t end = at + (sizes[i].known() ? sizes[i].size() : known.size() + 1);
    if (dims && end <= known.size()) {
      context.set_dims_value(i, Shape(known.begin() + at, known.begin() + end));
    }
    at = end;
  }
  return {};
}

Status PrepareSplit(PrepareContext& context) {
  const Dims in = context.shape(0), steps = DenseSteps(in);
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 0), static_cast<int>(in.size())));
  std::vector<int64_t> sizes(context.outputs(), kernels::CeilDiv(in[axis], context.outputs()));
  if (context.has_input(1)) {
    PARE_ASSIGN(sizes, context.Ints(1, "sizes"));
  }
  std::vector<MovePart> parts;
  int64_t at = 0;
  for (int i = 0; i < context.outputs(); ++i) {
    if (context.has_output(i)) {
      const Dims shape = context.output_shape(i);
      parts.push_back({MoveNest(shape, steps, DenseSteps(shape)), 0, i, at * steps[axis], 0});
    }
    at += sizes[i];
  }
  return AddMoveStep(context, static_cast<int64_t>(SizeOf(context.dtype(0))), std::move(parts));
}

Status GradConcat(GradContext& context) {
  const int64_t axis = context.attrs().i("axis", 0);
  PARE_ASSIGN(const int at, NormalizeAxis(axis, context.output(0).rank()));
  int64_t begin = 0;
  for (int i = 0; i < context.inputs(); ++i) {
    const int64_t end = begin + context.in_shape(i)[at];
    if (context.wants(i)) context.gives(i, SliceAxis(context.dy(), axis, begin, end));
    begin = end;
  }
  return {};
}

// A part that the node leaves out has no type: its size follows from the whole's.
Status GradSplit(GradContext& context) {
  const int64_t axis = context.attrs().i("axis", 0);
  Dims absent = context.in_shape(0);
  PARE_ASSIGN(const int at, NormalizeAxis(axis, static_cast<int>(absent.size())));
  std::vector<int64_t> sizes(context.outputs(), kernels::CeilDiv(absent[at], context.outputs()));
  std::vector<Var> parts;
  int64_t left = absent[at];
  for (int i = 0; i < context.outputs(); ++i) {
    if (!context.has_output(i) && context.has_input(1)) {
      PARE_ASSIGN(sizes, context.Ints(1, "sizes"));
    }
    absent[at] = std::min(sizes[i], left);
    parts.push_back(context.has_output(i) ? context.dy(i) : context.emit().Full(absent, 0));
    left -= parts.back() ? parts.back().dims()[at] : 0;
  }
  context.gives(0, Concat(parts, axis));
  return {};
}

// Along the axis each part has a range of the whole; the other axes are the same.
void TieParts(ChannelContext& c, int whole, int axis, const std::vector<int>& parts) {
  int64_t begin = 0;
  for (int part : parts) {
    for (int i = 0; i < c.rank(part); ++i) {
      if (i != axis) c.Tie({part, i}, {whole, i});
    }
    const int64_t size = c.size({part, axis});
    if (size < 0 || begin < 0 || c.size({whole, axis}) < 0) {
      begin = -1;  // what follows is at a place that is not known
      continue;
    }
    c.TieRange({part, axis}, 0, {whole, axis}, begin, size);
    begin += size;
  }
}

void TieConcat(ChannelContext& c) {
  std::vector<int> parts(c.inputs());
  for (int i = 0; i < c.inputs(); ++i) parts[i] = i;
  const int axis = c.axis("axis", 0);
  if (axis >= 0) TieParts(c, -1, axis, parts);
}

void TieSplit(ChannelContext& c) {
  std::vector<int> parts;
  for (int i = 0; i < c.outputs(); ++i) {
    if (!c.has_output(i)) return;  // the ranges behind it would be elsewhere
    parts.push_back(-1 - i);
  }
  const int axis = c.axis("axis", 0);
  if (axis >= 0) TieParts(c, 0, axis, parts);
}

Status EditSplit(ChannelEdit& e) {
  PARE_ASSIGN(const int axis, NormalizeAxis(e.attrs().i("axis", 0), e.input(0).rank()));
  std::vector<int64_t> sizes;
  bool same = true;
  for (int i = 0; i < e.outputs(); ++i) {
    if (!e.output(i).has_rank() || !(*e.output(i).shape)[axis].known()) return {};
    sizes.push_back(e.new_size(Out(axis, i)));
    same = same && sizes.back() == e.old_size(Out(axis, i));
  }
  if (same) return {};
  e.EraseAttr("num_outputs");
  return e.SetInts(1, "split", sizes);
}

}  // namespace

extern constinit const OpDef kConcat{.name = "Concat",
                                     .inputs = {{{"x", Presence::kVariadic}}},
                                     .outputs = {{{"y"}}},
                                     .infer = InferConcat,
                                     .prepare = PrepareConcat,
                                     .grad = {.emit = GradConcat},
                                     .quant = kSameScaleRule,
                                     .channels = {.tie = TieConcat}};

extern constinit const OpDef kSplit{.name = "Split",
                                    .inputs = {{{"x"}, {"sizes", Presence::kOptional}}},
                                    .outputs = {{{"y", Presence::kVariadic}}},
                                    .infer = InferSplit,
                                    .prepare = PrepareSplit,
                                    .grad = {.emit = GradSplit},
                                    .quant = kSameScaleRule,
                                    .channels = {.tie = TieSplit, .edit = EditSplit}};

}  // namespace pare::ops
