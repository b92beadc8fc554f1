// Is a graph consistent? Asked after import, after every pass in tests, and before planning.
#pragma once

#include "base/function_ref.h"
#include "graph/graph.h"

namespace pare::graph {

// What graph does not know of operators: an error where this node's operator is unknown, or its
// operands or attributes can't be (too few inputs, say).
using OpTable = FunctionRef<Status(const Graph&, const Node&)>;

// Uses and producers agree, nothing dead is used, names are unique, there is no cycle, and the
// types of constants are those of their bytes. The error (kInternal: only our own code makes such a
// graph) names the first value or node that breaks a rule.
Status Verify(const Graph& graph);
Status Verify(const Graph& graph, OpTable check_node);

}  // namespace pare::graph
