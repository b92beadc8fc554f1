// Exporters write the zeros that a recurrence begins with, in a shape that the graph computes. The
// operators begin with zeros where nothing is given, and without that shape their hidden units are
// free to go (compress/prune).
#include <algorithm>

#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr int kStates[] = {5, 6};  // initial_h, and LSTM's initial_c

bool AllZero(const Tensor& tensor) {
  const auto wide = Cast(tensor, DType::kF64);
  return wide && std::ranges::all_of(wide->as<double>(), [](double e) { return e == 0; });
}

// Whatever its shape.
bool IsZeros(const Graph& graph, ValueId id) {
  if (graph.is_constant(id)) return AllZero(graph.value(id).data);
  const Node* node = graph.producer_of(id);
  if (!node) return false;
  if (node->op == "Expand") return IsZeros(graph, node->inputs[0]);
  if (node->op != "ConstantOfShape") return false;
  const Tensor value = node->attrs.tensor("value");
  return !value || AllZero(value);
}

}  // namespace

Status DropZeroStates(PassContext& context) {
  Graph& graph = context.graph();
  for (const NodeId id : graph.Order()) {
    const std::string& op = graph.node(id).op;
    if (op != "LSTM" && op != "GRU" && op != "RNN") continue;
    for (const int state : kStates) {
      const Node& node = graph.node(id);
      if (!node.has_input(state) || !IsZeros(graph, node.inputs[state])) continue;
      if (context.Allow("drop-zero-state")) graph.SetInput(id, state, ValueId::kNone);
    }
  }
  return {};
}

}  // namespace pare::passes
