#include "compress/bias_of_product.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::TensorType;
using graph::ValueId;

bool AreWeights(const Graph& graph, ValueId id) {
  if (graph.is_constant(id)) return true;
  const Node* dq = graph.producer_of(id);
  return dq && dq->op == "DequantizeLinear" && graph.is_constant(dq->inputs[0]);
}

}  // namespace

int BiasOperand(const Graph& graph, NodeId add) {
  return graph.is_constant(graph.node(add).inputs[0]) ? 0 : 1;
}

NodeId BiasAddOf(const Graph& graph, NodeId product) {
  const Node& node = graph.node(product);
  if (node.op != "MatMul" || node.outputs[0] == ValueId::kNone) return NodeId::kNone;
  const TensorType& weights = graph.value(node.inputs[1]).type;
  if (!AreWeights(graph, node.inputs[1]) || !weights.is_static() || weights.rank() != 2)
    return NodeId::kNone;
  const graph::Value& value = graph.value(node.outputs[0]);
  if (value.uses.size() != 1 || graph.is_output(node.outputs[0]) || !value.type.has_rank())
    return NodeId::kNone;
  const NodeId add = value.uses[0].node;
  if (graph.node(add).op != "Add") return NodeId::kNone;
  const ValueId operand = graph.node(add).inputs[BiasOperand(graph, add)];
  const TensorType& bias = graph.value(operand).type;
  if (!graph.is_constant(operand) || bias.dtype != DType::kF32 || bias.rank() == 0)
    return NodeId::kNone;
  const int64_t columns = weights.dims()[1];
  const bool of_columns = bias.dims().back() == columns && CountOf(bias.dims()).value() == columns;
  return of_columns && bias.rank() <= value.type.rank() ? add : NodeId::kNone;
}

}  // namespace pare::compress
