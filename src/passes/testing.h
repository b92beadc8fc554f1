// For tests: graphs run without passes, plan or kernels' threads, node by node.
#pragma once

#include <map>
#include <string>

#include "graph/graph.h"

namespace pare::passes {

// Random inputs for a graph: a symbol becomes 2 plus its index, floats lie in [-2, 2], integers in
// [0, 8), bytes anywhere.
std::vector<Tensor> RandomInputs(const graph::Graph& graph, uint32_t seed);

// The outputs by name, and pinned values by "pinned " and their name, all N,C,spatial….
Result<std::map<std::string, Tensor>> EvaluatePlainly(const graph::Graph& graph,
                                                      std::span<const Tensor> inputs);

// The first difference beyond `tolerance` (of the range of the values), or "".
std::string Difference(const std::map<std::string, Tensor>& a,
                       const std::map<std::string, Tensor>& b, double tolerance);

}  // namespace pare::passes
