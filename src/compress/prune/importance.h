// How much the units of a channel group matter, told from the weights alone.
#pragma once

#include <vector>

#include "compress/prune/groups.h"

namespace pare::compress {

// By unit: the L2 norm of all weights that make its channels (Li et al. 2017, "Pruning Filters for
// Efficient ConvNets", there L1), each as the normalisation behind it scales it: |gamma| / σ.
std::vector<double> ImportanceByNorm(const graph::Graph& graph, const Channels& channels,
                                     int group);

// By position along `axis`, which weights that `node` reads make channels of: the sum of their
// squares, as a normalisation that alone reads the node's output scales it.
std::vector<double> SquaresOfProducer(const graph::Graph& graph, graph::NodeId node,
                                      const Tensor& weights, int axis);

// The `count` most important units, ascending by index; of equals the first.
std::vector<int64_t> MostImportant(const std::vector<double>& importance, int64_t count);

}  // namespace pare::compress
