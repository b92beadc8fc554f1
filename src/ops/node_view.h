// What a record may read of a node: its attributes, and the types and known values of its operands.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "graph/graph.h"

namespace pare::ops {

struct OpDef;

// Integer tensors of rank ≤ 1 whose elements are known in part: what shape arithmetic computes
// with. Elements are sizes, symbols or unknown; a negative number (the −1 of Reshape) is kept as
// unknown.
using KnownDims = std::map<graph::ValueId, graph::Shape>;

class NodeView {
 public:
  NodeView(const graph::Graph& graph, const graph::Node& node) : graph_(graph), node_(node) {}

  const graph::Graph& graph() const { return graph_; }
  const graph::Node& node() const { return node_; }
  const graph::Attrs& attrs() const { return node_.attrs; }

  int inputs() const { return static_cast<int>(node_.inputs.size()); }
  int outputs() const { return static_cast<int>(node_.outputs.size()); }
  bool has_input(int i) const { return i < inputs() && node_.inputs[i] != graph::ValueId::kNone; }
  bool has_output(int i) const {
    return i < outputs() && node_.outputs[i] != graph::ValueId::kNone;
  }

  // The operand must be there.
  const graph::Value& input_value(int i) const { return graph_.value(node_.inputs[i]); }
  const graph::TensorType& input(int i) const { return input_value(i).type; }
  const graph::TensorType& output(int i) const { return graph_.value(node_.outputs[i]).type; }
  // The known value of an operand; null where there is none. Parameters are not constants.
  const Tensor* constant(int i) const {
    return has_input(i) && graph_.is_constant(node_.inputs[i]) ? &input_value(i).data : nullptr;
  }
  // The integers of an input that must be constant; the error names the operand.
  Result<std::vector<int64_t>> Ints(int i, std::string_view what) const;
  // The constant of an input that must be one.
  Result<const Tensor*> Constant(int i, std::string_view what) const;

 protected:
  const graph::Graph& graph_;
  const graph::Node& node_;
};

class InferContext : public NodeView {
 public:
  InferContext(graph::Graph& graph, const graph::Node& node, KnownDims& dims)
      : NodeView(graph, node), mutable_graph_(graph), dims_(dims) {}

  // The shape of an input, or null where its rank is unknown.
  const graph::Shape* shape(int i) const {
    return has_input(i) && input(i).shape ? &*input(i).shape : nullptr;
  }
  DType dtype(int i) const { return has_input(i) ? input(i).dtype : DType::kNone; }
  // The integers of a constant input (axes, pads); nullopt where it is absent or not constant.
  // An input that is no integer tensor gives nullopt, too: prepare reports it.
  std::optional<std::vector<int64_t>> ints(int i) const;
  // The elements of an input as dimensions, each maybe unknown; null where not even the count is
  // known.
  const graph::Shape* dims_value(int i) const;
  void set_dims_value(int output, graph::Shape dims);

  // An output that the node does not have is ignored.
  void set_output(int i, DType dtype, graph::Shape shape);
  void set_output(int i, DType dtype);  // rank unknown
  void set_output(int i, graph::TensorType type);

 private:
  graph::Graph& mutable_graph_;
  KnownDims& dims_;
};

// Axis in [−rank, rank) → [0, rank); an error that names the attribute otherwise.
Result<int> NormalizeAxis(int64_t axis, int rank, std::string_view what = "axis");
// The shape of a NumPy-style broadcast; an error where known sizes contradict.
Result<graph::Shape> BroadcastShapes(const graph::Shape& a, const graph::Shape& b);
Result<Dims> BroadcastDims(std::span<const int64_t> a, std::span<const int64_t> b);

// Infers the types of all values of the graph anew, from its inputs and constants. Operators that
// pare does not know leave the types that the file gave. Errors name node and operator.
Status InferTypes(graph::Graph& graph);
// As above, and returns what is known of integer values (for folding of shape arithmetic).
Result<KnownDims> InferTypesAndDims(graph::Graph& graph);
// The types of one node's outputs, from what is known of its inputs; `dims` gains what it learns.
Status InferNode(graph::Graph& graph, graph::NodeId id, KnownDims& dims);

// Whether the node has the operands that its record asks for, and none beyond.
Status CheckOperands(const OpDef& op, const graph::Node& node);

// "node /layer3/conv2 (Conv)", or the name of the first output where the node has no name.
std::string NodePath(const graph::Graph& graph, const graph::Node& node);

}  // namespace pare::ops
