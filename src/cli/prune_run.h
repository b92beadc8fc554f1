// What one run of `pare prune` works with: model, data, the machine it times on.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/prune_options.h"
#include "data/split.h"
#include "model/model.h"

namespace pare::cli {

// Model, data and what both lead to.
struct PruneInputs {
  model::Model trainable;  // cut
  model::Model deployed;   // compared with, and learned from
  std::shared_ptr<const data::Dataset> dataset;
  data::Split split;
  compress::PruneSamples samples;

  // The first file that would be overwritten is an error.
  static Result<PruneInputs> Open(const PruneCommandOptions& options, CommandFiles& files,
                                  Console& console);
};

struct PruneRun {
  const PruneCommandOptions& options;
  const PruneInputs& inputs;
  const SampleRun& sample;
  const model::Context& context;
  Console& console;

  compress::PruneOptions how() const;

  // Milliseconds of each graph in the form that --for names, side by side, in the fastest run of
  // one thread.
  Result<std::vector<double>> Times(std::span<const graph::Graph* const> graphs) const;
  // Those of a graph as those of the whole model times their ratio, which is measured by turns: so
  // the same load of the machine disturbs both.
  Result<double> RelativeTime(const graph::Graph& graph, double whole_ms) const;
  // By layer of each graph.
  Result<std::vector<std::map<std::string, double>>> LayerTimes(
      std::span<const graph::Graph* const> graphs) const;

 private:
  // The form that --for names. Times don't depend on values, so few samples give the ranges.
  enum class SlowLayers : uint8_t { kInt8, kFloat };
  Result<graph::Graph> Deployed(const graph::Graph& graph, SlowLayers slow) const;
  Result<std::vector<graph::Graph>> Deployed(std::span<const graph::Graph* const> graphs,
                                             SlowLayers slow) const;
};

}  // namespace pare::cli
