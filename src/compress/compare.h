// Two models on the same data: quality, time, size, layer by layer.
#pragma once

#include "compress/layers.h"
#include "compress/report.h"

namespace pare::compress {

// Fills quality from both sessions over the loader's samples.
Result<Quality> CompareQuality(runtime::Session& a, runtime::Session& b, data::Loader& loader,
                               Metric metric, Progress& progress);

struct CompareOptions {
  Metric metric = Metric::kAuto;
  int64_t batch = 1;           // for the times
  int64_t layer_samples = 16;  // for snr and cosine by layer; 0: none
  TimingOptions timing;
};

// `dataset` and `indices`: the samples for quality; their first `layer_samples` for the layers.
// Layers are those of `b`'s integer and float operators that `a` has, too.
struct Side {
  const graph::Graph& graph;  // simplified
  int64_t bytes;
};
Result<Comparison> Compare(const Side& a, const Side& b,
                           std::shared_ptr<const data::Dataset> dataset,
                           const std::vector<int64_t>& indices, const data::Preprocess& preprocess,
                           const model::Context& context, const CompareOptions& options,
                           Progress& progress);

// The layers of a graph in execution order: nodes that compute, with the precision in which
// `running`, the same graph as a session runs it, computes them.
std::vector<LayerReport> ListLayers(const graph::Graph& graph, const graph::Graph& running);

}  // namespace pare::compress
