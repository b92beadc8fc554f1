// Residual blocks, y = x + f(x): layers that a network of the same shapes can do without.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace pare::compress {

struct ResidualBlock {
  std::string name;  // of the sum
  // `out` becomes `in` where the block is removed. Where the one that follows the sum (an
  // activation, a normalisation) also made `in`, it belongs to the block.
  graph::ValueId in, out;
  std::vector<graph::NodeId> branch;  // f's nodes, in the order of the graph
  // Blocks of one stage have the same type and the same operators, and can stand for each other.
  int stage = 0;
  // Of f's last weights: the L2 norm, as a normalisation behind them scales it.
  double importance = 0;
};

// In the order of the graph. Of nested blocks the innermost. Types are inferred.
std::vector<ResidualBlock> FindBlocks(const graph::Graph& graph);

// `graph` without these of its blocks.
Result<graph::Graph> RemoveBlocks(const graph::Graph& graph,
                                  const std::vector<ResidualBlock>& blocks);

}  // namespace pare::compress
