// Layers of two models side by side: which values are the same layer, and how near they are.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "data/loader.h"
#include "model/model.h"

namespace pare::compress {

// A Cast that gives an output of the graph in another float type than it was computed in: a part of
// the layer before it.
bool IsOutputCast(const graph::Graph& graph, const graph::Node& node);

// The layer that a value belongs to: values that Q/DQ pairs put around it carry its name.
std::string LayerNameOf(const graph::Graph& graph, const std::string& value);

// The value that holds a layer's result as the rest of the graph sees it: behind its Q/DQ pair, if
// any.
graph::ValueId SeenValue(const graph::Graph& graph, graph::ValueId value);

struct LayerFidelity {
  double snr_db = 0;  // 10·log10(Σ a² / Σ (a − b)²); of ScaledLayers with b times its best factors
  double cosine = 0;
};

// Which layers of a graph have channels that equalization scaled is kept in its metadata: their
// values differ from the source's by a factor a channel, and are compared without it.
void WriteScaledLayers(graph::Graph& graph, std::span<const std::string> names);
std::set<std::string> ScaledLayers(const graph::Graph& graph);

// Runs both graphs over the loader's samples, integer parts emulated in float, and compares the
// layers `names` that both have. Missing in the result: layers that a graph lacks, or whose shapes
// differ.
Result<std::map<std::string, LayerFidelity>> CompareLayers(
    const graph::Graph& a, const graph::Graph& b, const std::vector<std::string>& names,
    data::Loader& loader, const model::Context& context, Progress& progress);

}  // namespace pare::compress
