// The layers of a model that all of its computation goes through, which is where two models of
// different size can be laid side by side: the ends of a network's stages and blocks.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace pare::compress {

// Where the channels of a layer stand: the last axis of [batch, tokens, hidden], axis 1 of
// everything else, also of the [batch, channels, length] that convolutions make.
int ChannelAxis(const graph::Graph& graph, graph::ValueId value);

struct TrunkLayer {
  std::string name;
  Dims shape;            // without the batch
  int channel_axis = 0;  // of `shape`
  double depth = 0;      // the part of the model's products that lie before it, of (0, 1)

  // The shape without the channels: what layers of two models must share to be compared.
  Dims Extents() const;
};

// With inputs of these shapes. In the order of the graph: float layers of a row a sample behind the
// first product (convolution, matrix) and before the last one; of those with the same products
// before them and the same extents the last. Nodes that come together again (a residual block's
// branch) are none.
Result<std::vector<TrunkLayer>> TrunkOf(const graph::Graph& graph, std::span<const Dims> shapes);

}  // namespace pare::compress
