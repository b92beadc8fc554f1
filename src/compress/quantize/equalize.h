// Cross-layer equalization: a channel between two layers may be divided by s in the first layer's
// weights and multiplied by s in the second's. Chosen so that the channels of the activation
// between them, which share one scale, get magnitudes that fit each other.
//
// Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019,
// §4.1, for the rewrite; the factor is that of Xiao et al., "SmoothQuant", 2022, eq. 4, because
// weights have a scale per output channel and don't need equal ranges there, but the activation
// between has one for all.
#pragma once

#include <string>
#include <vector>

#include "compress/quantize/scheme.h"
#include "compress/quantize/statistics.h"

namespace pare::compress {

struct Equalized {
  std::string value;                   // the activation between the layers
  double spread_before, spread_after;  // largest over median of the channels' magnitudes
};

// Changes weights and biases; the graph's float function stays the same up to rounding. Pairs are
// those of convolutions with nothing but positively homogeneous operators (Relu, LeakyRelu,
// MaxPool, pooling averages) between them, and no other reader.
std::vector<Equalized> EqualizeLayers(graph::Graph& graph, const Scheme& scheme,
                                      const Statistics& statistics);

}  // namespace pare::compress
