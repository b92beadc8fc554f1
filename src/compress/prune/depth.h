// Depth pruning: residual blocks go, those first whose removal changes the model's answers least.
#pragma once

#include <string>
#include <vector>

#include "compress/prune/output_error.h"

namespace pare::compress {

struct DepthCut {
  graph::Graph graph;
  std::vector<std::string> removed;  // by the names of their sums, in the order they went
  int blocks = 0;                    // of the model
  double error = 0;                  // Σ (left − model)² / Σ model² of the outputs
};

// The part `depth` of all blocks stays, at least one. After each removal the others are measured
// anew: what one block does, its neighbours can do as well. Blocks with a layer that `keep` names
// stay; where too few others are left, fewer go.
Result<DepthCut> RemoveLeastBlocks(const graph::Graph& model, double depth,
                                   const std::vector<std::string>& keep, const OutputError& error,
                                   Progress& progress);

}  // namespace pare::compress
