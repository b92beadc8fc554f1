#include "compress/quantize/correct_bias.h"

#include "ops/op_def.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

// Σ over the inputs of (w_q − w) · mean, for each output channel. Of a convolution, weights are
// [out, in/group, kh, kw]; of a product [k, n], or [n, k] where transposed.
std::vector<double> ShiftOf(const Tensor& weights, const Tensor& rounded, int channel_axis,
                            const std::vector<double>& means, int64_t groups) {
  const Dims& shape = weights.shape();
  const auto w = weights.as<float>();
  const auto q = rounded.as<float>();
  const int64_t out = shape[channel_axis];
  const int64_t in = shape[1 - channel_axis];
  const int64_t inner = weights.count() / (out * in);
  std::vector<double> shift(out, 0);
  for (int64_t o = 0; o < out; ++o) {
    const int64_t first = o / (out / groups) * in;  // of the group's input channels
    for (int64_t i = 0; i < in; ++i) {
      const int64_t at = (channel_axis == 0 ? o * in + i : i * out + o) * inner;
      double difference = 0;
      for (int64_t j = at; j < at + inner; ++j) difference += static_cast<double>(q[j]) - w[j];
      shift[o] += difference * means[first + i];
    }
  }
  return shift;
}

void SubtractFromBias(Graph& graph, graph::NodeId id, int slot, const std::vector<double>& shift) {
  const Node& node = graph.node(id);
  const bool has_bias =
      slot < static_cast<int>(node.inputs.size()) && node.inputs[slot] != ValueId::kNone;
  std::vector<float> bias(shift.size(), 0.0f);
  if (has_bias) {
    const auto old = graph.value(node.inputs[slot]).data.as<float>();
    bias.assign(old.begin(), old.end());
  }
  for (size_t c = 0; c < bias.size(); ++c) bias[c] -= static_cast<float>(shift[c]);
  const std::string name =
      has_bias ? graph.value(node.inputs[slot]).name : graph.value(node.outputs[0]).name + "_bias";
  // A bias may be shared by layers: the corrected one is a constant of this layer alone.
  const ValueId corrected = graph.AddConstant(
      name + (has_bias ? "_corrected" : ""),
      Tensor::Of<float>({static_cast<int64_t>(bias.size())}, std::span<const float>(bias)));
  while (static_cast<int>(graph.node(id).inputs.size()) <= slot)
    graph.AppendInput(id, ValueId::kNone);
  graph.SetInput(id, slot, corrected);
}

}  // namespace

std::vector<double> MeanShift(const Graph& graph, const Node& node, const Statistics& statistics,
                              const QuantizedWeights& rounded) {
  if (node.op != "Conv" && node.op != "Gemm") return {};
  const auto input = statistics.find(graph.value(node.inputs[0]).name);
  if (input == statistics.end()) return {};
  const Tensor& weights = graph.value(node.inputs[1]).data;
  const int axis = rounded.channel_axis;
  const int64_t groups = node.op == "Conv" ? node.attrs.i("group", 1) : 1;
  const std::vector<double> means = input->second.ChannelMeans();
  if (static_cast<int64_t>(means.size()) != weights.shape()[1 - axis] * groups) return {};
  return ShiftOf(weights, DequantizeWeights(rounded), axis, means, groups);
}

void CorrectBiases(Graph& graph, const Scheme& scheme, const LayerWeights& weights) {
  for (const Layer& layer : scheme.layers) {
    if (!layer.integer || !layer.weighted) continue;
    const std::vector<double>& shift = weights.at(layer.node)->mean_shift;
    if (!shift.empty()) SubtractFromBias(graph, layer.node, 2, shift);
  }
}

const Layer* OutputLayer(const Graph& graph, const Scheme& scheme, int index) {
  ValueId at = graph.outputs()[index].value;
  while (const Node* node = graph.producer_of(at)) {
    // These keep [N, C, …] in order; a Transpose or Slice would not.
    if (node->op != "Flatten" && node->op != "Squeeze" && node->op != "Reshape" &&
        node->op != "Identity")
      break;
    at = node->inputs[0];
  }
  const graph::NodeId producer = graph.value(at).producer;
  const Layer* layer = producer == graph::NodeId::kNone ? nullptr : scheme.find(producer);
  if (!layer || !layer->integer || (layer->op != "Conv" && layer->op != "Gemm")) return nullptr;
  return layer;
}

void ShiftBias(Graph& graph, const Layer& layer, const std::vector<double>& shift) {
  SubtractFromBias(graph, layer.node, 2, shift);
}

}  // namespace pare::compress
