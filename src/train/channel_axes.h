// Along which axes of a graph's values the channels of its layers lie.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace pare::train {

// What the records' channel rules (ops/channels.h) carry on from the weights of layers: through
// arithmetic, views and transposes. Nodes are visited in the order of computation.
class ChannelAxes {
 public:
  explicit ChannelAxes(const graph::Graph& graph);

  // `weights`: bit i says that input i of the node is a layer's weight.
  void Visit(graph::NodeId id, uint32_t weights);
  // Of a value whose node was visited; `axis` ≥ 0.
  bool LieAlong(graph::ValueId value, int axis) const;

 private:
  uint64_t InputAxes(const graph::Node& node, uint32_t weights, size_t input) const;

  const graph::Graph& graph_;
  std::vector<uint64_t> axes_;  // by value: a bit an axis
};

}  // namespace pare::train
