// Which groups of channels a command may cut, and to which widths.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compress/prune/blocks.h"
#include "compress/prune/groups.h"

namespace pare::compress {

// Fails (kUnsupported) for a quantized model, with that advice.
Status CheckNotQuantized(const graph::Graph& graph, std::string_view advice);

// Whether one of the glob patterns names a layer: its node, the node's output, or its weights.
bool IsLayerNamed(const graph::Graph& graph, graph::NodeId layer, graph::ValueId weights,
                  const std::vector<std::string>& patterns);
// The same of a layer that makes channels of the group.
bool IsNamed(const graph::Graph& graph, const Channels& channels, const UnitGroup& group,
             const std::vector<std::string>& patterns);
// Fails (kUsage) for a pattern that names no layer of the whole model.
Status CheckKeepPatterns(const graph::Graph& model, const Channels& channels,
                         const std::vector<std::string>& patterns);
// Whether one of them names a layer inside of the block.
bool HasNamedLayer(const graph::Graph& graph, const ResidualBlock& block,
                   const std::vector<std::string>& patterns);

// How wide a unit of a group is where it is narrowest: the channels of a head, else 1.
int64_t ChannelsOfUnit(const Channels& channels, int group);

// How many of `size` units, `channels` wide each, may stay: from `size` down. `even`: widths are
// multiples of 8 channels (4 below 32), which the kernels of most engines take whole; at least 4
// channels and an eighth of all stay.
std::vector<int64_t> WidthsOf(int64_t size, int64_t channels, bool even);

}  // namespace pare::compress
