#include "compress/quantize/correct_bias.h"

#include <optional>

#include "compress/bias_of_product.h"
#include "compress/layers.h"
#include "ops/op_def.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
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

// Where a layer's bias is, or can be: an operand of a node.
struct BiasPlace {
  NodeId node;
  int input;
};

std::optional<BiasPlace> BiasOf(const Graph& graph, NodeId layer) {
  if (graph.node(layer).op != "MatMul") return BiasPlace{layer, 2};
  const NodeId add = BiasAddOf(graph, layer);
  if (add == NodeId::kNone) return std::nullopt;
  return BiasPlace{add, BiasOperand(graph, add)};
}

void SubtractFromBias(Graph& graph, BiasPlace place, const std::vector<double>& shift) {
  const Node& node = graph.node(place.node);
  const bool has_bias =
      place.input < std::ssize(node.inputs) && node.inputs[place.input] != ValueId::kNone;
  std::vector<float> bias(shift.size(), 0.0f);
  Dims shape = {std::ssize(shift)};
  std::string name = graph.value(node.outputs[0]).name + "_bias";
  if (has_bias) {
    const graph::Value& old = graph.value(node.inputs[place.input]);
    const auto values = old.data.as<float>();
    bias.assign(values.begin(), values.end());
    shape = old.data.shape();
    name = old.name + "_corrected";
  }
  for (size_t c = 0; c < bias.size(); ++c) bias[c] -= static_cast<float>(shift[c]);
  // A bias may be shared by layers: the corrected one is a constant of this layer alone.
  const ValueId corrected =
      graph.AddConstant(name, Tensor::Of<float>(shape, std::span<const float>(bias)));
  while (std::ssize(graph.node(place.node).inputs) <= place.input)
    graph.AppendInput(place.node, ValueId::kNone);
  graph.SetInput(place.node, place.input, corrected);
}

}  // namespace

std::vector<double> MeanShift(const Graph& graph, const Node& node, const Statistics& statistics,
                              const QuantizedWeights& rounded) {
  if (node.op != "Conv" && node.op != "Gemm" && node.op != "MatMul") return {};
  const auto input = statistics.find(graph.value(node.inputs[0]).name);
  if (input == statistics.end()) return {};
  const Tensor& weights = graph.value(node.inputs[1]).data;
  const int axis = rounded.channel_axis;
  // A product's channels are the last dimension, which is dimension 1 of a matrix alone.
  const graph::TensorType& type = graph.value(node.inputs[0]).type;
  const bool in_rows = input->second.in_rows || (type.has_rank() && type.rank() == 2);
  if (weights.count() == 0 || (node.op == "MatMul" && !in_rows)) return {};
  const int64_t groups = node.op == "Conv" ? node.attrs.i("group", 1) : 1;
  const std::vector<double> means = input->second.ChannelMeans();
  if (static_cast<int64_t>(means.size()) != weights.shape()[1 - axis] * groups) return {};
  return ShiftOf(weights, DequantizeWeights(rounded), axis, means, groups);
}

bool CorrectBiases(Graph& graph, const Scheme& scheme, const LayerWeights& weights) {
  bool any = false;
  for (const Layer& layer : scheme.layers) {
    if (!layer.integer || !layer.weighted) continue;
    const std::vector<double>& shift = weights.at(layer.node)->mean_shift;
    const auto place = shift.empty() ? std::nullopt : BiasOf(graph, layer.node);
    if (!place) continue;
    SubtractFromBias(graph, *place, shift);
    any = true;
  }
  return any;
}

const Layer* OutputLayer(const Graph& graph, const Scheme& scheme, int index) {
  ValueId at = graph.outputs()[index].value;
  while (const Node* node = graph.producer_of(at)) {
    // These keep [N, C, …] in order; a Transpose or Slice would not.
    if (node->op != "Flatten" && node->op != "Squeeze" && node->op != "Reshape" &&
        node->op != "Identity" && !IsOutputCast(graph, *node))
      break;
    at = node->inputs[0];
  }
  const NodeId producer = graph.value(at).producer;
  const Layer* layer = producer == NodeId::kNone ? nullptr : scheme.find(producer);
  if (!layer || !layer->integer || (layer->op != "Conv" && layer->op != "Gemm")) return nullptr;
  return layer;
}

void ShiftBias(Graph& graph, const Layer& layer, const std::vector<double>& shift) {
  SubtractFromBias(graph, {layer.node, 2}, shift);
}

}  // namespace pare::compress
