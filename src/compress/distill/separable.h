// Dense convolutions as pairs: a depthwise convolution with the same window, and a 1x1 convolution
// behind it that sums over the channels (Howard et al., "MobileNets", 2017, §3.1).
//
// The filters of an input channel c are a matrix W_c [outputs × taps]; in its place such a pair
// computes p_c · d_cᵀ, with d_c the filter of the depthwise convolution and p_c a column of the
// other's matrix. Nearest to W_c is what its largest singular value makes (Eckart & Young, "The
// approximation of one matrix by another of lower rank", 1936): with that the pair begins.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace pare::compress {

struct SeparableFilters {
  Tensor depthwise;      // [in, 1, k…], each filter of length 1
  Tensor pointwise;      // [out, in, 1…]
  double explained = 1;  // the part of the dense filters' squared norm that the pair has
};
// Of filters [out, in, k…] of a float type, which the result has, too.
Result<SeparableFilters> SeparateFilters(const Tensor& filters);

// The convolutions that a pair may replace: with one group, constant filters of several taps, 16
// channels or more on either side, and behind another layer.
std::vector<graph::NodeId> FindSeparable(const graph::Graph& graph);

struct SeparatedLayer {
  std::string name;  // of its output
  Dims filters;      // [out, in, k…], as they were
  double explained = 1;
};
// Puts pairs in place of these convolutions. The 1x1 ones take over the nodes, with their names,
// outputs and biases: what follows a convolution (a normalisation) follows the pair.
Result<std::vector<SeparatedLayer>> SeparateLayers(graph::Graph& graph,
                                                   const std::vector<graph::NodeId>& layers);

}  // namespace pare::compress
