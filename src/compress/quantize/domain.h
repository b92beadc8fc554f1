// Functions that have no value beyond an end of their domain, where rounding of their operand can
// lead: the asin of a 1 that became 1.004.
#pragma once

#include "graph/graph.h"

namespace pare::compress {

// Puts a Clip before each such function whose operand was rounded, by a Q/DQ pair or for training.
void ClipToDomains(graph::Graph& graph);

// Whether a node is such a Clip, which is a part of the layer behind it.
bool IsDomainClip(const graph::Graph& graph, const graph::Node& node);

}  // namespace pare::compress
