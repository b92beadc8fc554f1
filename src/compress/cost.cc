#include "compress/cost.h"

#include <algorithm>

#include "ops/node_view.h"
#include "ops/op_def.h"
#include "passes/bind.h"

namespace pare::compress {
namespace {

bool AllStatic(const graph::Graph& graph, const std::vector<graph::ValueId>& values) {
  return std::ranges::all_of(values, [&](graph::ValueId id) {
    return id == graph::ValueId::kNone || graph.value(id).type.is_static();
  });
}

}  // namespace

Result<ModelCost> CostOf(const graph::Graph& graph, std::span<const Dims> shapes) {
  PARE_ASSIGN(const graph::Graph bound, passes::BindShapes(graph, shapes));
  ModelCost cost;
  for (graph::NodeId id : bound.Order()) {
    const graph::Node& node = bound.node(id);
    const ops::OpDef* op = ops::FindOp(node.op);
    if (!op || !op->cost) continue;
    if (AllStatic(bound, node.inputs) && AllStatic(bound, node.outputs)) {
      cost.macs += op->cost(ops::NodeView(bound, node)).macs;
    }
  }
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const graph::Value& value = graph.value(static_cast<graph::ValueId>(i));
    if (value.data && !value.uses.empty() && IsFloat(value.data.dtype())) {
      cost.parameters += value.data.count();
    }
  }
  return cost;
}

}  // namespace pare::compress
