// An engine without VNNI gives other sums where weights are large: kernels/qsaturating. What it
// computes is part of the graph, so that a graph means the same on every machine.
#include "passes/passes.h"

namespace pare::passes {

Status SaturatePairs(PassContext& context) {
  graph::Graph& graph = context.graph();
  for (graph::NodeId id : graph.Order()) {
    const graph::Node& node = graph.node(id);
    if (node.op != "pare.QConv" && node.op != "pare.QGemm") continue;
    if (node.attrs.s("pairs") == "saturating" || !context.Allow("saturate-pairs")) continue;
    graph.mutable_node(id).attrs.set("pairs", "saturating");
  }
  return {};
}

}  // namespace pare::passes
