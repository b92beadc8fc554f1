// Weights that stay 0 while the others are trained: in the graph of a step a pare.Mask stands
// between such weights and their layer, so that the zeros have no part in the gradient, its length,
// or what an optimizer remembers. The trained model has no masks: its zeros are zeros.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace pare::train {

struct Mask {
  graph::ValueId weight;  // a parameter
  Tensor moves;           // of its shape: 1 where it moves, else 0
  int64_t zeros = 0;
};

// Puts masks behind those of `parameters` that are matrices or filters of a layer (through
// roundings, too) and hold zeros. Biases, scales and slopes that are 0 move.
Result<std::vector<Mask>> InsertMasks(graph::Graph& graph,
                                      const std::vector<graph::ValueId>& parameters);

// Makes `weights` 0 where the mask is.
void FoldMask(const Mask& mask, Tensor& weights);

}  // namespace pare::train
