// Two models on the same data: quality, time, size, layer by layer.
#pragma once

#include "compress/layers.h"
#include "compress/report.h"

namespace pare::compress {

// Fills quality from both sessions over the loader's samples; `targets` (train::CheckTargets) are
// what the first output of either shall be, or null.
Result<Quality> CompareQuality(runtime::Session& a, runtime::Session& b, data::Loader& loader,
                               Metric metric, Progress& progress,
                               const data::Dataset* targets = nullptr);

struct CompareOptions {
  Metric metric = Metric::kAuto;
  int64_t batch = 1;           // for the times
  int64_t layer_samples = 16;  // for snr and cosine by layer; 0: none
  // Of these at most it is told what engines without VNNI make of b's 8-bit layers; 0: it is not.
  int64_t saturation_samples = 0;
  std::shared_ptr<const data::Dataset> targets;  // as CompareQuality has them
  TimingOptions timing;
};

// `dataset` and `indices`: the samples for quality; `layer_samples` evenly out of them for the
// layers, which are those of `b`.
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
