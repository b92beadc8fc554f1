// How much the units of a channel group matter, told from the weights alone.
#pragma once

#include <vector>

#include "compress/prune/groups.h"

namespace pare::compress {

// By unit: the L2 norm of all weights that make its channels (Li et al. 2017, "Pruning Filters for
// Efficient ConvNets", there L1), each as the normalisation behind it scales it: |gamma| / σ.
std::vector<double> ImportanceByNorm(const graph::Graph& graph, const Channels& channels,
                                     int group);

// The `count` most important units, ascending by index; of equals the first.
std::vector<int64_t> MostImportant(const std::vector<double>& importance, int64_t count);

}  // namespace pare::compress
