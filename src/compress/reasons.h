// Why each layer of a quantized model has its precision.
#pragma once

#include <vector>

#include "compress/report.h"

namespace pare::compress {

// Whether operators of the graph quantize, statically or dynamically, or weights of its layers are
// stored in integers. Bytes that it reads, and tables that it looks up, may be dequantized in a
// float model, too.
bool IsQuantized(const graph::Graph& graph);

// Keeps the reasons in the graph's metadata (`pare.reasons`), for whoever compares the file later.
void WriteReasons(graph::Graph& graph, const std::vector<LayerReport>& layers);

// Gives `layers`, which are b's, the reasons that b's metadata holds. Where b is quantized but came
// from elsewhere, the reasons for which pare would leave its layers in float, too, as `a`, the
// float model, shows them. Reasons that are there already stay.
void ExplainLayers(const graph::Graph& a, const graph::Graph& b, std::vector<LayerReport>& layers);

}  // namespace pare::compress
