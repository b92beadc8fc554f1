// What DequantizeLinear nodes of a graph say of its float values.
#pragma once

#include "graph/graph.h"

namespace pare::ops {

// The node that computed what `value` holds, which operators that keep its scale may have moved
// since; null where it is an input or a constant.
const graph::Node* BehindMoves(const graph::Graph& graph, graph::ValueId value);

// That node where it is a DequantizeLinear; null where it is not.
const graph::Node* DequantizerOf(const graph::Graph& graph, graph::ValueId value);

// Whether a DequantizeLinear's operands are constants, as those of weights and biases are.
bool DequantizesConstants(const graph::Graph& graph, const graph::Node& dequantizer);

}  // namespace pare::ops
