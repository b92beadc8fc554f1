#include "ops/node_view.h"

#include "ops/op_def.h"
#include "ops/rank.h"

namespace pare::ops {

using graph::Dim;
using graph::Shape;

Result<std::vector<int64_t>> NodeView::Ints(int i, std::string_view what) const {
  PARE_ASSIGN(const Tensor* tensor, Constant(i, what));
  auto values = ToInt64s(*tensor);
  if (!values) return Fail(values.error().at(what));
  return *values;
}

Result<const Tensor*> NodeView::Constant(int i, std::string_view what) const {
  const Tensor* tensor = constant(i);
  if (!tensor) {
    return Unsupported(
        Text("its input \"", what, "\" is computed while the model runs, and pare needs it before"),
        "simplify the model where it is exported, so that shapes don't depend on the data");
  }
  return tensor;
}

std::optional<std::vector<int64_t>> InferContext::ints(int i) const {
  const Tensor* tensor = constant(i);
  if (!tensor) return std::nullopt;
  auto values = ToInt64s(*tensor);
  return values ? std::optional(std::move(*values)) : std::nullopt;
}

const Shape* InferContext::dims_value(int i) const {
  if (!has_input(i)) return nullptr;
  const auto known = dims_.find(node_.inputs[i]);
  if (known != dims_.end()) return &known->second;
  const Tensor* tensor = constant(i);
  if (!tensor || IsFloat(tensor->dtype()) || tensor->rank() > 1) return nullptr;
  const auto values = ToInt64s(*tensor);
  if (!values) return nullptr;
  Shape dims;
  for (int64_t value : *values) dims.push_back(value < 0 ? Dim::Unknown() : Dim(value));
  return &dims_.emplace(node_.inputs[i], std::move(dims)).first->second;
}

void InferContext::set_dims_value(int output, Shape dims) {
  if (has_output(output)) dims_[node_.outputs[output]] = std::move(dims);
}

void InferContext::set_output(int i, graph::TensorType type) {
  if (has_output(i)) mutable_graph_.SetType(node_.outputs[i], std::move(type));
}
void InferContext::set_output(int i, DType dtype, Shape shape) {
  set_output(i, graph::TensorType{dtype, std::move(shape)});
}
void InferContext::set_output(int i, DType dtype) { set_output(i, graph::TensorType{dtype, {}}); }

Status CheckRank(size_t rank, std::string_view what) {
  if (rank <= kMaxRank) return {};
  return Invalid(Text(what, " has ", rank, " axes, and no tensor may have more than ", kMaxRank));
}

Result<std::optional<Shape>> ShapeFrom(const InferContext& context, int i) {
  if (const Shape* known = context.dims_value(i)) {
    PARE_TRY(CheckRank(known->size(), "the shape asked for"));
    return *known;
  }
  const Shape* count = context.shape(i);
  if (!count || count->size() != 1 || !(*count)[0].known()) return std::nullopt;
  PARE_TRY(CheckRank(static_cast<size_t>((*count)[0].size()), "the shape asked for"));
  return Shape((*count)[0].size(), Dim::Unknown());
}

Result<int> NormalizeAxis(int64_t axis, int rank, std::string_view what) {
  if (axis < -rank || axis >= rank) {
    return Invalid(Text(what, " ", axis, " is outside [", -rank, ", ", rank - 1, "]"));
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Result<Shape> BroadcastShapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape shape = longer;
  const size_t offset = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    Dim& out = shape[offset + i];
    const Dim other = shorter[i];
    if (out == Dim(1)) {
      out = other;
    } else if (other == Dim(1) || out.Same(other)) {
      continue;
    } else if (out.known() && other.known()) {
      return Invalid(
          Text("the dimensions ", out.size(), " and ", other.size(), " do not broadcast"));
    } else if (other.known()) {
      out = other;  // the unknown one must be 1 or the same
    } else if (!out.known()) {
      out = Dim::Unknown();
    }
  }
  return shape;
}

Result<Dims> BroadcastDims(std::span<const int64_t> a, std::span<const int64_t> b) {
  PARE_ASSIGN(const Shape shape, BroadcastShapes(graph::ToShape(a), graph::ToShape(b)));
  return graph::TensorType{DType::kNone, shape}.dims();
}

std::string NodePath(const graph::Graph& graph, const graph::Node& node) {
  std::string name = node.name;
  if (name.empty() && !node.outputs.empty() && node.outputs[0] != graph::ValueId::kNone) {
    name = graph.value(node.outputs[0]).name;
  }
  return Text("node ", name, " (", node.op, ")");
}

namespace {

// More operands than the record has places for; the last place of a variadic one takes any number.
Status CheckCount(const Slots& slots, size_t count, std::string_view what) {
  size_t places = 0;
  for (const Slot& slot : slots) {
    if (slot.name.empty()) break;
    if (slot.presence == Presence::kVariadic) return {};
    ++places;
  }
  if (count <= places) return {};
  return Invalid(Text("it has ", count, ' ', what, ", and the operator only ", places));
}

Status Infer(graph::Graph& graph, const graph::Node& node, KnownDims& dims) {
  const OpDef* op = FindOp(node.op);
  if (!op) return {};
  PARE_TRY(CheckOperands(*op, node));
  InferContext context(graph, node, dims);
  PARE_TRY(op->infer(context));
  for (int i = 0; i < context.outputs(); ++i) {
    if (!context.has_output(i) || !context.output(i).shape) continue;
    PARE_TRY(CheckRank(context.output(i).shape->size(), "its output"));
  }
  return {};
}

}  // namespace

Status CheckOperands(const OpDef& op, const graph::Node& node) {
  const auto missing = [&](size_t i) {
    return i >= node.inputs.size() || node.inputs[i] == graph::ValueId::kNone;
  };
  for (size_t i = 0; i < kMaxSlots && !op.inputs[i].name.empty(); ++i) {
    const auto [name, presence] = op.inputs[i];
    if (presence == Presence::kRequired && missing(i)) {
      return Invalid(Text("the input \"", name, "\" is missing"));
    }
    if (presence != Presence::kVariadic) continue;
    if (i >= node.inputs.size()) return Invalid("it has no inputs");
    for (size_t each = i; each < node.inputs.size(); ++each) {
      if (missing(each)) return Invalid(Text("its input ", each, " is missing"));
    }
  }
  PARE_TRY(CheckCount(op.inputs, node.inputs.size(), "inputs"));
  if (node.outputs.empty() && !op.outputs[0].name.empty()) return Invalid("it has no outputs");
  return CheckCount(op.outputs, node.outputs.size(), "outputs");
}

Status InferNode(graph::Graph& graph, graph::NodeId id, KnownDims& dims) {
  const graph::Node& node = graph.node(id);
  const Status inferred = Infer(graph, node, dims);
  if (!inferred) return Fail(inferred.error().at(NodePath(graph, node)));
  return {};
}

Result<KnownDims> InferTypesAndDims(graph::Graph& graph) {
  KnownDims dims;
  for (graph::NodeId id : graph.Order()) PARE_TRY(InferNode(graph, id, dims));
  return dims;
}

Status InferTypes(graph::Graph& graph) {
  PARE_TRY(InferTypesAndDims(graph));
  return {};
}

}  // namespace pare::ops
