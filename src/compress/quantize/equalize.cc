#include "compress/quantize/equalize.h"

#include <algorithm>
#include <cmath>

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

bool Homogeneous(const Node& node) {
  return node.op == "Relu" || node.op == "LeakyRelu" || node.op == "MaxPool" ||
         node.op == "AveragePool" || node.op == "GlobalAveragePool";
}

struct Pair {
  NodeId first;
  ValueId between;  // what the second layers read
  std::vector<NodeId> seconds;
};

bool HasPlainWeights(const Graph& graph, const Node& node) {
  if (node.op != "Conv" || !graph.is_constant(node.inputs[1])) return false;
  const bool bias = node.inputs.size() > 2 && node.inputs[2] != ValueId::kNone;
  return graph.value(node.inputs[1]).uses.size() == 1 &&
         (!bias ||
          (graph.is_constant(node.inputs[2]) && graph.value(node.inputs[2]).uses.size() == 1));
}

bool IsDepthwise(const Graph& graph, const Node& node) {
  return node.attrs.i("group", 1) > 1 && graph.value(node.inputs[1]).data.shape()[1] == 1;
}

// Follows the output of `first` to the convolutions that read it; no seconds where something else
// does.
Pair FindPair(const Graph& graph, const Scheme& scheme, NodeId first) {
  ValueId at = graph.node(first).outputs[0];
  while (graph.value(at).uses.size() == 1 && !graph.is_output(at)) {
    const Node& next = graph.node(graph.value(at).uses[0].node);
    if (!Homogeneous(next)) break;
    at = next.outputs[0];
  }
  Pair pair{first, at, {}};
  if (graph.is_output(at)) return pair;
  for (const graph::Use& use : graph.value(at).uses) {
    const Node& reader = graph.node(use.node);
    const Layer* layer = scheme.find(use.node);
    const bool fits = layer && layer->integer && use.input == 0 && HasPlainWeights(graph, reader) &&
                      (reader.attrs.i("group", 1) == 1 || IsDepthwise(graph, reader));
    if (!fits) return {first, at, {}};
    pair.seconds.push_back(use.node);
  }
  return pair;
}

// The channel of the second layer's input that weight i belongs to.
int64_t InputChannel(const Tensor& weights, bool depthwise, int64_t channels, int64_t i) {
  const Dims& shape = weights.shape();
  const int64_t inner = weights.count() / (shape[0] * shape[1]);
  if (depthwise) return i / inner / (shape[0] / channels);
  return i / inner % shape[1];
}

std::vector<float> Factors(const Graph& graph, const Pair& pair,
                           const std::vector<float>& magnitudes) {
  const auto channels = static_cast<int64_t>(magnitudes.size());
  std::vector<float> weight_max(channels, 0.0f);
  bool depthwise_only = true;
  for (NodeId second : pair.seconds) {
    const Node& node = graph.node(second);
    const bool depthwise = IsDepthwise(graph, node);
    depthwise_only &= depthwise;
    const Tensor& weights = graph.value(node.inputs[1]).data;
    const auto w = weights.as<float>();
    for (int64_t i = 0; i < weights.count(); ++i) {
      float& largest = weight_max[InputChannel(weights, depthwise, channels, i)];
      largest = std::max(largest, std::fabs(w[i]));
    }
  }
  // Depthwise weights have a scale a channel: all of the spread may go there.
  const float alpha = depthwise_only ? 1.0f : 0.5f;
  std::vector<float> factors(channels, 1.0f);
  double log_sum = 0;
  for (int64_t c = 0; c < channels; ++c) {
    if (magnitudes[c] <= 0 || weight_max[c] <= 0) continue;
    factors[c] = std::pow(magnitudes[c], alpha) / std::pow(weight_max[c], 1 - alpha);
    log_sum += std::log(factors[c]);
  }
  const auto mean = static_cast<float>(std::exp(log_sum / static_cast<double>(channels)));
  for (float& factor : factors) factor = std::clamp(factor / mean, 0.125f, 8.0f);
  return factors;
}

void ScaleConstant(Graph& graph, ValueId id, const auto& factor_of) {
  Tensor scaled = Tensor::Make(DType::kF32, graph.value(id).data.shape()).value();
  const auto in = graph.value(id).data.as<float>();
  const auto out = scaled.mutable_as<float>();
  for (size_t i = 0; i < in.size(); ++i) out[i] = in[i] * factor_of(static_cast<int64_t>(i));
  graph.SetConstant(id, scaled);
}

void Apply(Graph& graph, const Pair& pair, const std::vector<float>& factors) {
  const Node& first = graph.node(pair.first);
  const auto channels = static_cast<int64_t>(factors.size());
  const int64_t inner = graph.value(first.inputs[1]).data.count() / channels;
  ScaleConstant(graph, first.inputs[1], [&](int64_t i) { return 1 / factors[i / inner]; });
  if (first.inputs.size() > 2 && first.inputs[2] != ValueId::kNone) {
    ScaleConstant(graph, first.inputs[2], [&](int64_t i) { return 1 / factors[i]; });
  }
  for (NodeId second : pair.seconds) {
    const Node& node = graph.node(second);
    const Tensor weights = graph.value(node.inputs[1]).data;
    const bool depthwise = IsDepthwise(graph, node);
    ScaleConstant(graph, node.inputs[1], [&](int64_t i) {
      return factors[InputChannel(weights, depthwise, channels, i)];
    });
  }
}

double Spread(std::vector<float> magnitudes) {
  if (magnitudes.empty()) return 1;
  std::sort(magnitudes.begin(), magnitudes.end());
  return magnitudes.back() / std::max(magnitudes[magnitudes.size() / 2], 1e-12f);
}

}  // namespace

std::vector<Equalized> EqualizeLayers(Graph& graph, const Scheme& scheme,
                                      const Statistics& statistics) {
  std::vector<Equalized> done;
  for (const Layer& layer : scheme.layers) {
    if (!layer.integer || !HasPlainWeights(graph, graph.node(layer.node))) continue;
    const Pair pair = FindPair(graph, scheme, layer.node);
    if (pair.seconds.empty()) continue;
    const auto s = statistics.find(graph.value(pair.between).name);
    if (s == statistics.end()) continue;
    std::vector<float> magnitudes = s->second.channel_max;
    const Tensor& weights = graph.value(graph.node(pair.first).inputs[1]).data;
    if (static_cast<int64_t>(magnitudes.size()) != weights.shape()[0]) continue;
    const double before = Spread(magnitudes);
    const std::vector<float> factors = Factors(graph, pair, magnitudes);
    Apply(graph, pair, factors);
    for (size_t c = 0; c < factors.size(); ++c) magnitudes[c] /= factors[c];
    done.push_back({graph.value(pair.between).name, before, Spread(magnitudes)});
  }
  return done;
}

}  // namespace pare::compress
