// Operators that are functions of one number, for tables of quantized values.
#pragma once

#include <functional>
#include <optional>

#include "graph/graph.h"

namespace pare::passes {

struct UnaryFunction {
  graph::ValueId x;  // of which the node's output is a function, element by element
  std::function<double(double)> f;
};

// nullopt where the node is no such function: an activation, or arithmetic with a constant of one
// element. The shape of the output must be that of x, which the caller checks.
std::optional<UnaryFunction> UnaryFunctionOf(const graph::Graph& graph, const graph::Node& node);

// What the attribute `activation` of a node does to its result; nullopt where it is unknown.
std::optional<std::function<double(double)>> ActivationFunctionOf(const graph::Node& node);

}  // namespace pare::passes
