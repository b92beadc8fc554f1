// Random weights to train from, in place of those that a model came with.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace pare::train {

// Matrices and filters: normal with variance 2 / fan-in (He et al., "Delving Deep into Rectifiers",
// 2015, eq. 10). Scales and factors become 1, slopes of PRelu 1/4 (ibid., §2.1), biases and other
// terms 0; running means 0, running variances 1.
// The same seed gives the same weights, which depend on the parameters' order alone.
Status InitializeWeights(graph::Graph& graph, const std::vector<graph::ValueId>& parameters,
                         uint64_t seed);

}  // namespace pare::train
