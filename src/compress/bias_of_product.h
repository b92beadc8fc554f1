// MatMul has no operand for a bias: exporters put an Add behind it.
#pragma once

#include "graph/graph.h"

namespace pare::compress {

// The Add that gives what the MatMul `product` makes of a matrix of weights its bias, one constant
// number for each column: it alone reads the product, and is a part of that layer. kNone where
// there is none. The weights may be behind a DequantizeLinear.
graph::NodeId BiasAddOf(const graph::Graph& graph, graph::NodeId product);
// The operand of that Add which is the bias.
int BiasOperand(const graph::Graph& graph, graph::NodeId add);

}  // namespace pare::compress
