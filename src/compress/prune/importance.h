// How much the units of a channel group matter, told from the weights alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compress/prune/groups.h"

namespace pare::compress {

enum class Importance : uint8_t {
  kReconstruction,  // what least squares can't make up for (elimination.h)
  kActivation,      // what a unit adds to the layers that sum over it (elimination.h)
  kTaylor,          // how far its removal moves the outputs, to first order (taylor.h)
  kL1,              // of the weights that make its channels (Li et al. 2017, "Pruning Filters …")
  kL2,
  kBatchNorm,        // |gamma| (Liu et al. 2017, "Network Slimming")
  kGeometricMedian,  // distance to the other units' weights (He et al. 2019, "FPGM")
  kRandom,           // a control
};
Result<Importance> ParseImportance(std::string_view name);
std::string_view ImportanceName(Importance importance);
// Whether it is told from what the model computes on samples.
inline bool NeedsSamples(Importance importance) { return importance <= Importance::kTaylor; }

// By unit, of one of the kinds that need no samples. Weights count as the normalisation behind them
// scales them, |gamma| / σ. Empty for kBatchNorm where no normalisation follows.
std::vector<double> ImportanceByWeights(const graph::Graph& graph, const Channels& channels,
                                        int group, Importance importance, uint64_t seed);

// kL2 of these.
std::vector<double> ImportanceByNorm(const graph::Graph& graph, const Channels& channels,
                                     int group);

// By position along `axis`, which weights that `node` reads make channels of: the sum of their
// squares, as a normalisation that alone reads the node's output scales it.
std::vector<double> SquaresOfProducer(const graph::Graph& graph, graph::NodeId node,
                                      const Tensor& weights, int axis);

// The `count` most important units, ascending by index; of equals the first.
std::vector<int64_t> MostImportant(const std::vector<double>& importance, int64_t count);

}  // namespace pare::compress
