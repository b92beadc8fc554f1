// Denormals count as zero while pare runs (platform/denormals.h): where weights hold them, results
// may differ from other engines'.
#pragma once

#include <string>

#include "graph/graph.h"

namespace pare::onnx {

// Says how many numbers of the graph's constants are denormal, and where the first are; empty where
// none is. Reads all weights.
std::string DenormalNote(const graph::Graph& graph);

}  // namespace pare::onnx
