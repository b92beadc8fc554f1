// Operators change from opset to opset. Inside of pare each has one form, that of opset 21: import
// brings older forms up to it, export takes it down again to the version that the file shall have.
#pragma once

#include <span>

#include "graph/graph.h"

namespace pare::onnx {

// The oldest version that export writes.
inline constexpr int64_t kOldestExport = 7;

// Brings every node of the default domain from the form of `versions[node id]` to the internal one.
// What was an attribute becomes a constant "<output>_<attribute>".
Status Upgrade(graph::Graph& graph, std::span<const int64_t> versions);

// Writes every node in the form of `opset`. Fails where a node has no such form; the graph is then
// half changed.
Status Downgrade(graph::Graph& graph, int64_t opset);

}  // namespace pare::onnx
