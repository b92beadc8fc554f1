// Puts a quantization into a graph, as standard QuantizeLinear / DequantizeLinear pairs.
#pragma once

#include <map>
#include <vector>

#include "compress/quantize/calibrator.h"
#include "compress/quantize/scheme.h"

namespace pare::compress {

struct WeightOptions {
  std::map<graph::NodeId, int> bits;  // of a layer's weights where not 8
};

// One weighted layer's integers.
struct QuantizedWeights {
  Tensor values;              // s8, the shape of the weights
  std::vector<float> scales;  // by channel
  int channel_axis = 0;
};

// Symmetric per channel; the range of each channel is the one, of a few cuts below its largest
// magnitude, with the least squared error. `bits` in [2, 8]: |q| ≤ 2^(bits−1) − 1, and ≤ 64 for 7
// bits, which is what makes a pair of u8·s8 products fit 16 bits.
QuantizedWeights QuantizeWeights(const Tensor& weights, int channel_axis, int bits);
// The weights that the integers stand for.
Tensor DequantizeWeights(const QuantizedWeights& weights);

// The axis of the output channels in the weights of a Conv, Gemm or MatMul.
int WeightAxis(const graph::Node& node, int rank);

// `params` by group of the scheme. The graph stays valid for export; layers that are not integer
// are untouched.
Status WriteQdq(graph::Graph& graph, const Scheme& scheme, const std::vector<QuantParams>& params,
                const WeightOptions& options);

}  // namespace pare::compress
