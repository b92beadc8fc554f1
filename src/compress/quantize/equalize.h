// Cross-layer equalization: a channel between layers may be divided by a factor in the layers that
// write it and multiplied by it in those that read it. Chosen so that the channels of the
// activations between them, which share one scale a tensor, get magnitudes that fit each other.
//
// Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019,
// §4.1, for the rewrite; the factor is that of Xiao et al., "SmoothQuant", 2022, eq. 4, because
// weights have a scale per output channel and don't need equal ranges there, but the activation
// between has one for all. Its exponent is the one with the least predicted noise.
#pragma once

#include <string>
#include <vector>

#include "compress/quantize/scheme.h"
#include "compress/quantize/statistics.h"

namespace pare::compress {

// Values whose channels take the same factors, because nothing but positively homogeneous operators
// (Relu, LeakyRelu, pooling) and additions lie between them, and the layers around them. A Clip
// from 0 is one of them for the channels that don't reach its limit.
struct ChannelGroup {
  std::vector<graph::ValueId> values;  // that get a scale, in the order of the graph
  std::vector<graph::NodeId> writers;  // their output channels are the group's
  std::vector<graph::NodeId> readers;  // their input channels are
  std::vector<std::pair<graph::ValueId, float>> clipped;  // what Clips write, and their limits
  int64_t channels = 0;
};

// The groups that can be equalized: every writer and reader has plain weights of its own.
std::vector<ChannelGroup> FindChannelGroups(const graph::Graph& graph, const Scheme& scheme);

// Changes weights and biases where noise is predicted to fall; returns the names of the values
// whose channels were scaled. The graph's float function stays the same up to rounding, as long as
// channels that never came near a Clip's limit don't reach 1.25 times what was seen of them.
// `statistics` holds the groups' values.
std::vector<std::string> EqualizeGroups(graph::Graph& graph,
                                        const std::vector<ChannelGroup>& groups,
                                        const Statistics& statistics);

}  // namespace pare::compress
