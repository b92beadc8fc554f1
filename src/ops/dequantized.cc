#include "ops/dequantized.h"

#include <algorithm>

#include "ops/op_def.h"

namespace pare::ops {

using graph::Graph;
using graph::Node;
using graph::ValueId;

const Node* BehindMoves(const Graph& graph, ValueId value) {
  const Node* producer = graph.producer_of(value);
  while (producer) {
    const OpDef* op = FindOp(producer->op);
    if (!op || !op->quant.same_scale) return producer;
    producer = graph.producer_of(producer->inputs[0]);
  }
  return nullptr;
}

const Node* DequantizerOf(const Graph& graph, ValueId value) {
  const Node* node = BehindMoves(graph, value);
  return node && node->op == "DequantizeLinear" ? node : nullptr;
}

bool DequantizesConstants(const Graph& graph, const Node& dequantizer) {
  return std::ranges::all_of(dequantizer.inputs, [&](ValueId input) {
    return input == ValueId::kNone || graph.is_constant(input);
  });
}

}  // namespace pare::ops
