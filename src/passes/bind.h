// From a graph with symbols to one for the shapes of a run.
#pragma once

#include <span>

#include "graph/graph.h"

namespace pare::passes {

// The graph for inputs of these shapes (in the order of Graph::inputs): symbols become sizes
// everywhere, types are inferred anew, and shape arithmetic that is now known is folded. Constants
// share their bytes with `graph`, so that weights are packed once. A shape that the graph excludes
// is an error (kUsage) that names the input; sizes with which a node can't be computed are one that
// names the node and all inputs, where any size is free.
Result<graph::Graph> BindShapes(const graph::Graph& graph, std::span<const Dims> shapes);

}  // namespace pare::passes
