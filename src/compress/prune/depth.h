// Depth pruning: residual blocks go, those first whose removal changes the model's answers least.
#pragma once

#include <string>
#include <vector>

#include "compress/prune/blocks.h"
#include "compress/prune/output_error.h"

namespace pare::compress {

struct BlockOrder {
  std::vector<ResidualBlock> blocks;  // that may go, the first to go first
  std::vector<double> loss{
      0};            // loss[k]: without the first k, Σ (left − model)² / Σ model² of the outputs
  int in_model = 0;  // blocks that the model has
};

// At most `most` blocks, until the loss would exceed `hopeless`; those with a layer that `keep`
// names stay. After each removal the others are measured anew (what one block does, its neighbours
// can do as well), those that added least before the first, until none that is left added less.
Result<BlockOrder> OrderBlocks(const graph::Graph& model, int64_t most, double hopeless,
                               const std::vector<std::string>& keep, const OutputError& error,
                               Progress& progress);

// `graph` without the first `count`: the model, or what is left of its channels.
Result<graph::Graph> WithoutFirst(const graph::Graph& graph, const BlockOrder& order,
                                  int64_t count);

struct DepthCut {
  graph::Graph graph;
  std::vector<std::string> removed;  // by the names of their sums, in the order they went
  int blocks = 0;                    // of the model
  double error = 0;                  // Σ (left − model)² / Σ model² of the outputs
};

// The part `depth` of all blocks stays, at least one; where too few may go (`keep`), more.
Result<DepthCut> RemoveLeastBlocks(const graph::Graph& model, double depth,
                                   const std::vector<std::string>& keep, const OutputError& error,
                                   Progress& progress);

}  // namespace pare::compress
