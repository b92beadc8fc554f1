// Puts a quantization into a graph, as standard QuantizeLinear / DequantizeLinear pairs.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "compress/quantize/calibrator.h"
#include "compress/quantize/scheme.h"

namespace pare::compress {

// One weighted layer's integers.
struct QuantizedWeights {
  Tensor values;              // s8, i4 for 4 bits; the shape of the weights
  std::vector<float> scales;  // by channel
  int channel_axis = 0;
  int bits = 8;
  // Of each output channel by the rounding, on average; empty where the input's means are unknown.
  std::vector<double> mean_shift;
};

// The largest |q| of `bits` in [2, 8]: 2^(bits−1) − 1, but 127 for 7 bits: these are 8 bits less as
// much as pairs need to fit (pairs.h).
int LargestLevel(int bits);
// Symmetric per channel; the range of each channel is the one, of a few around its largest
// magnitude, with the least squared error.
QuantizedWeights QuantizeWeights(const Tensor& weights, int channel_axis, int bits);
// The same with scales that are known: rne(w / scale), clamped; of 7 bits the pairs that don't fit
// lowered.
QuantizedWeights RoundWeights(const Tensor& weights, int channel_axis, int bits,
                              std::vector<float> scales);
using LayerWeights = std::map<graph::NodeId, std::shared_ptr<const QuantizedWeights>>;

// The weights that the integers stand for.
Tensor DequantizeWeights(const QuantizedWeights& weights);

// The input of a weighted layer's node that holds its weights.
int WeightInput(const graph::Node& node);
// The axis of the output channels in the weights of a Conv, Gemm or MatMul.
int WeightAxis(const graph::Node& node, int rank);
// How many output channels a weighted layer's node has.
int64_t WeightChannels(const graph::Graph& graph, const graph::Node& node);
// The largest magnitude of an integer bias: half of what 32 bits hold. The other half is for the
// products of a u8 and an s8: so many fit whatever they are.
inline constexpr double kLargestBias = 1 << 30;
inline constexpr auto kMostProducts = static_cast<int64_t>(kLargestBias / (255 * 127));
// How many products a result of a weighted layer's node sums up.
int64_t ProductsOf(const graph::Graph& graph, const graph::Node& node);
// Whether the constant at `input` is a number for each output channel: [N] or [1, …, N].
bool IsBiasOfChannels(const graph::Graph& graph, const graph::Node& node, size_t input);

// `params` by group of the scheme, `weights` of each weighted integer layer. The graph stays valid
// for export; layers that are not integer are untouched.
Status WriteQdq(graph::Graph& graph, const Scheme& scheme, const std::vector<QuantParams>& params,
                const LayerWeights& weights);

}  // namespace pare::compress
