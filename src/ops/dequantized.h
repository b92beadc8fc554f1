// What DequantizeLinear nodes of a graph say of its float values.
#pragma once

#include "graph/graph.h"

namespace pare::ops {

// The DequantizeLinear that `value` comes from, maybe moved since by operators that keep its scale;
// null where there is none.
const graph::Node* DequantizerOf(const graph::Graph& graph, graph::ValueId value);

// Whether a DequantizeLinear's operands are constants, as those of weights and biases are.
bool DequantizesConstants(const graph::Graph& graph, const graph::Node& dequantizer);

}  // namespace pare::ops
