#include "ops/emit.h"

#include <algorithm>
#include <numeric>

namespace pare::ops {

using graph::ValueId;

graph::TensorType Var::type() const { return emitter_->graph().value(id_).type; }

void Emitter::Fail(Error error) {
  if (status_) status_ = pare::Fail(std::move(error));
}

Var Emitter::Constant(Tensor data) {
  return {*this, graph_.AddConstant(graph_.FreshName(origin_ + ".constant"), std::move(data))};
}

Var Emitter::Ints(const std::vector<int64_t>& values) {
  return Constant(Tensor::Of<int64_t>({std::ssize(values)}, values));
}

Var Emitter::Full(const Dims& shape, float value) { return ExpandTo(Scalar(value), shape); }

std::vector<Var> Emitter::AddMany(std::string op, const std::vector<Var>& inputs, int outputs,
                                  graph::Attrs attrs) {
  if (!status_) return std::vector<Var>(outputs);
  std::vector<ValueId> ids;
  for (const Var& input : inputs) ids.push_back(input.id());
  std::vector<std::string> names;
  for (int i = 0; i < outputs; ++i) names.push_back(graph_.FreshName(Text(origin_, '.', op)));
  const auto node =
      graph_.AddNode(std::move(op), std::move(ids), std::move(names), std::move(attrs), origin_);
  if (Status inferred = InferNode(graph_, node, dims_); !inferred) Fail(inferred.error());
  std::vector<Var> made;
  for (ValueId id : graph_.node(node).outputs) made.emplace_back(*this, id);
  for (const Var& var : made) {
    const graph::TensorType type = var.type();
    const bool known = type.has_rank() && (shapes_ == Shapes::kRanked || type.is_static());
    if (status_ && !known)
      Fail(Error(ErrorKind::kUnsupported, "a shape depends on the data")
               .at(NodePath(graph_, graph_.node(node))));
  }
  return status_ ? made : std::vector<Var>(outputs);
}

Var Emitter::Add(std::string op, const std::vector<Var>& inputs, graph::Attrs attrs) {
  return AddMany(std::move(op), inputs, 1, std::move(attrs))[0];
}

namespace {

Var Binary(std::string_view op, Var a, Var b) {
  if (!a || !b) return {};
  return a.emitter().Add(std::string(op), {a, b});
}

Var ScalarBeside(Var x, float value) { return x ? x.emitter().Scalar(value) : Var(); }

Var Reduce(std::string op, Var x, const std::vector<int64_t>& axes, KeepDims keep) {
  if (!x) return {};
  std::vector<Var> inputs{x};
  if (!axes.empty()) inputs.push_back(x.emitter().Ints(axes));
  return x.emitter().Add(std::move(op), inputs,
                         {{"keepdims", static_cast<int64_t>(keep == KeepDims::kYes)}});
}

}  // namespace

Var operator+(Var a, Var b) { return Binary("Add", a, b); }
Var operator-(Var a, Var b) { return Binary("Sub", a, b); }
Var operator*(Var a, Var b) { return Binary("Mul", a, b); }
Var operator/(Var a, Var b) { return Binary("Div", a, b); }
Var operator-(Var a) { return Apply("Neg", a); }
Var operator+(Var a, float b) { return a + ScalarBeside(a, b); }
Var operator-(Var a, float b) { return a - ScalarBeside(a, b); }
Var operator-(float a, Var b) { return ScalarBeside(b, a) - b; }
Var operator*(Var a, float b) { return a * ScalarBeside(a, b); }
Var operator/(float a, Var b) { return ScalarBeside(b, a) / b; }

Var Apply(std::string_view op, Var x) { return x ? x.emitter().Add(std::string(op), {x}) : Var(); }

Var Less(Var a, Var b) { return Binary("Less", a, b); }
Var Equal(Var a, Var b) { return Binary("Equal", a, b); }

Var Where(Var condition, Var yes, Var no) {
  if (!condition || !yes || !no) return {};
  return condition.emitter().Add("Where", {condition, yes, no});
}

Var ToF32(Var x) {
  if (!x) return {};
  return x.emitter().Add("Cast", {x}, {{"to", int64_t{1}}});
}

Var ReduceSum(Var x, const std::vector<int64_t>& axes, KeepDims keep) {
  return Reduce("ReduceSum", x, axes, keep);
}
Var ReduceMean(Var x, const std::vector<int64_t>& axes, KeepDims keep) {
  return Reduce("ReduceMean", x, axes, keep);
}

Var SumTo(Var x, const Dims& shape) {
  if (!x || x.dims() == shape) return x;
  const Dims from = x.dims();
  const size_t more = from.size() - shape.size();
  std::vector<int64_t> axes;
  for (size_t i = 0; i < from.size(); ++i) {
    if (i < more || (shape[i - more] == 1 && from[i] != 1)) axes.push_back(static_cast<int64_t>(i));
  }
  return Reshape(axes.empty() ? x : ReduceSum(x, axes), shape);
}

Var ExpandTo(Var x, const Dims& shape) {
  if (!x || x.dims() == shape) return x;
  return x.emitter().Add("Expand", {x, x.emitter().Ints(shape)});
}

Var Reshape(Var x, const Dims& shape) {
  if (!x || x.dims() == shape) return x;
  return x.emitter().Add("Reshape", {x, x.emitter().Ints(shape)}, {{"allowzero", int64_t{1}}});
}

Var Transpose(Var x, const std::vector<int64_t>& perm) {
  if (!x) return {};
  return x.emitter().Add("Transpose", {x}, {{"perm", perm}});
}

Var TransposeMatrix(Var x) {
  if (!x) return {};
  std::vector<int64_t> perm(x.rank());
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return Transpose(x, perm);
}

Var MatMul(Var a, Var b) { return Binary("MatMul", a, b); }

Var Concat(const std::vector<Var>& parts, int64_t axis) {
  for (const Var& part : parts) {
    if (!part) return {};
  }
  return parts[0].emitter().Add("Concat", parts, {{"axis", axis}});
}

Var SliceAxis(Var x, int64_t axis, int64_t begin, int64_t end) {
  if (!x) return {};
  Emitter& emit = x.emitter();
  return emit.Add("Slice", {x, emit.Ints({begin}), emit.Ints({end}), emit.Ints({axis})});
}

Var PadZeros(Var x, const Dims& begins, const Dims& ends) {
  if (!x) return {};
  Dims pads = begins;
  pads.insert(pads.end(), ends.begin(), ends.end());
  if (std::count(pads.begin(), pads.end(), 0) == std::ssize(pads)) return x;
  return x.emitter().Add("Pad", {x, x.emitter().Ints(pads)});
}

// As ScatterND, whose slices are those of the first axis.
Var SumAt(Var x, Var indices, int64_t axis, int64_t size) {
  if (!x || !indices) return {};
  std::vector<int64_t> swap(x.rank());
  std::iota(swap.begin(), swap.end(), 0);
  std::swap(swap[0], swap[axis]);
  const auto axis_first = [&](Var of) { return axis == 0 ? of : Transpose(of, swap); };
  const Var slices = axis_first(x);
  Dims shape = slices.dims();
  shape[0] = size;
  Emitter& emit = x.emitter();
  return axis_first(
      emit.Add("ScatterND", {emit.Full(shape, 0), Reshape(indices, {indices.dims()[0], 1}), slices},
               {{"reduction", std::string("add")}}));
}

Var LogSoftmax(Var x, int64_t axis) {
  if (!x) return {};
  return x.emitter().Add("LogSoftmax", {x}, {{"axis", axis}});
}

}  // namespace pare::ops
