// Until opset 12, Softmax(axis) flattened its input to two dimensions at `axis` and normalised the
// rows; since 13 it normalises along the axis alone. Where the axis is the last one, both are the
// same. Elsewhere the old meaning is written out, and folded again when the file is written:
//
//   Softmax₁₂(x, axis) = Reshape(Softmax₁₃(Flatten(x, axis), −1), Shape(x))
#include "onnx/changes.h"

namespace pare::onnx {
namespace {

using graph::NodeId;
using graph::ValueId;

// The nodes around a Softmax that was written out; kNone where it was not.
struct Flattened {
  NodeId flatten = NodeId::kNone, shape = NodeId::kNone, reshape = NodeId::kNone;
  explicit operator bool() const { return reshape != NodeId::kNone; }
};

Flattened FindFlattened(const Migration& m) {
  const graph::Graph& g = m.graph;
  const graph::Node* flatten = g.producer_of(m.input(0));
  const ValueId y = m.node().outputs.front();
  if (!flatten || flatten->op != "Flatten" || g.value(m.input(0)).uses.size() != 1 ||
      g.is_visible(m.input(0)) || g.value(y).uses.size() != 1 || g.is_visible(y) ||
      m.attrs().i("axis", -1) != -1) {
    return {};
  }
  const graph::Use use = g.value(y).uses.front();
  const graph::Node& reshape = g.node(use.node);
  if (reshape.op != "Reshape" || use.input != 0 || reshape.inputs.size() != 2) return {};
  const graph::Node* shape = g.producer_of(reshape.inputs[1]);
  if (!shape || shape->op != "Shape" || !shape->attrs.empty() || shape->inputs != flatten->inputs) {
    return {};
  }
  return {g.value(m.input(0)).producer, g.value(reshape.inputs[1]).producer, use.node};
}

void RemoveUnused(graph::Graph& g, NodeId id) {
  const ValueId output = g.node(id).outputs.front();
  if (g.value(output).uses.empty() && !g.is_visible(output)) g.RemoveNode(id);
}

void Fold(const Migration& m, const Flattened& nodes) {
  graph::Graph& g = m.graph;
  const ValueId y = m.node().outputs.front();
  const ValueId reshaped = g.node(nodes.reshape).outputs.front();
  const std::string name = g.value(reshaped).name;
  m.attrs().set("axis", g.node(nodes.flatten).attrs.i("axis", 1));
  m.SetInput(0, g.node(nodes.flatten).inputs.front());
  g.SetType(y, g.value(reshaped).type);
  g.ReplaceUses(reshaped, y);
  g.RemoveNode(nodes.reshape);
  g.Rename(y, name);
  RemoveUnused(g, nodes.flatten);
  RemoveUnused(g, nodes.shape);
}

int RankOf(const Migration& m) {
  const int rank = m.rank(m.input(0));
  return rank >= 0 ? rank : m.rank(m.node().outputs.front());
}

bool HasOperands(const Migration& m) {
  return m.input(0) != ValueId::kNone && m.node().outputs.size() == 1 &&
         m.node().outputs.front() != ValueId::kNone;
}

}  // namespace

Status UpgradeSoftmax13(const Migration& m) {
  if (!HasOperands(m)) return Invalid("it has no input, or not one output");
  const int64_t axis = m.attrs().i("axis", 1);
  const int rank = RankOf(m);
  m.attrs().set("axis", axis);
  if (axis == -1 || (rank > 0 && axis == rank - 1)) return {};

  graph::Graph& g = m.graph;
  const ValueId x = m.input(0), y = m.node().outputs.front();
  const std::string name = g.value(y).name;
  graph::TensorType type = g.value(y).type;
  if (m.dtype(0) != DType::kNone) type.dtype = m.dtype(0);  // else what the file says of y
  const auto add = [&](const char* op, std::vector<ValueId> inputs, graph::Attrs attrs) {
    const NodeId id =
        g.AddNode(op, std::move(inputs), {g.FreshName(Text(name, '_', op))}, std::move(attrs));
    g.mutable_node(id).origin = m.node().name;
    return g.node(id).outputs.front();
  };
  const ValueId flat = add("Flatten", {x}, {{"axis", axis}});
  const ValueId shape = add("Shape", {x}, {});
  const ValueId reshaped = add("Reshape", {flat, shape}, {});
  g.ReplaceUses(y, reshaped);
  g.SetInput(g.value(reshaped).producer, 0, y);
  m.SetInput(0, flat);
  m.attrs().set("axis", int64_t{-1});
  g.SetType(y, {.dtype = type.dtype, .shape = {}});
  g.SetType(reshaped, std::move(type));
  g.Rename(y, g.FreshName(Text(name, "_flat")));
  g.Rename(reshaped, name);
  return {};
}

Status DowngradeSoftmax13(const Migration& m) {
  if (!HasOperands(m)) return Invalid("it has no input, or not one output");
  if (const Flattened nodes = FindFlattened(m)) {
    Fold(m, nodes);
    return {};
  }
  const int64_t axis = m.attrs().i("axis", -1);
  const int rank = RankOf(m);
  if (axis != -1 && (rank <= 0 || axis != rank - 1)) return NotBefore(m);
  m.attrs().set("axis", axis == -1 && rank > 0 && m.opset < 11 ? int64_t{rank - 1} : axis);
  return {};
}

}  // namespace pare::onnx
