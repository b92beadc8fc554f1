#include "compress/quantize/equalize.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "compress/disjoint_sets.h"
#include "compress/quantize/write_qdq.h"
#include "passes/pattern.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr float kLargestFactor = 64;  // beyond, float rounding of what is scaled begins to count
constexpr float kMargin = 1.25f;      // what was not seen may be larger by as much

size_t Index(ValueId id) { return static_cast<size_t>(id); }

bool IsConstant(const Graph& graph, ValueId id) {
  return graph.is_constant(id) && graph.value(id).uses.size() == 1;
}

bool IsDepthwise(const Graph& graph, const Node& node) {
  return node.op == "Conv" && node.attrs.i("group", 1) > 1 &&
         graph.value(node.inputs[1]).data.shape()[1] == 1;
}

// A layer whose weights and bias are constants that nothing else reads, a bias number a channel.
bool HasPlainWeights(const Graph& graph, const Node& node) {
  if (node.op != "Conv" && node.op != "Gemm") return false;
  if (!IsConstant(graph, node.inputs[1])) return false;
  if (node.attrs.i("transA", 0) || node.attrs.f("alpha", 1) != 1 || node.attrs.f("beta", 1) != 1)
    return false;
  if (node.inputs.size() < 3 || node.inputs[2] == ValueId::kNone) return true;
  return IsConstant(graph, node.inputs[2]) && IsBiasOfChannels(graph, node, 2);
}

// Flatten keeps the channels apart where each is one number.
bool FlattensVectors(const Graph& graph, const Node& node) {
  if (node.op != "Flatten" || node.attrs.i("axis", 1) != 1) return false;
  const auto& shape = graph.value(node.inputs[0]).type.shape;
  if (!shape || shape->size() < 2) return false;
  return std::all_of(shape->begin() + 2, shape->end(),
                     [](graph::Dim dim) { return dim.known() && dim.size() == 1; });
}

bool SameShapes(const Graph& graph, const Node& node) {
  const auto& first = graph.value(node.inputs[0]).type.shape;
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
    return !graph.is_constant(id) && first && graph.value(id).type.shape == first;
  });
}

// The upper limit of a Clip from 0; nothing for another node.
std::optional<float> LimitOf(const Graph& graph, const Node& node) {
  if (node.op != "Clip" || node.inputs.size() < 3) return std::nullopt;
  const auto low = passes::ScalarOf(graph, node.inputs[1]);
  const auto high = passes::ScalarOf(graph, node.inputs[2]);
  return low == 0.0f && high > 0.0f ? high : std::nullopt;
}

// f(s·x) = s·f(x) for s > 0, channel by channel.
bool Links(const Graph& graph, const Node& node) {
  return node.op == "Relu" || node.op == "LeakyRelu" || node.op == "MaxPool" ||
         node.op == "AveragePool" || node.op == "GlobalAveragePool" ||
         (node.op == "Add" && SameShapes(graph, node)) || FlattensVectors(graph, node) ||
         LimitOf(graph, node);
}

class GroupFinder {
 public:
  explicit GroupFinder(const Graph& graph)
      : graph_(graph), sets_(graph.value_count()), open_(graph.value_count(), false) {}

  std::vector<ChannelGroup> Run(const Scheme& scheme) {
    const std::vector<NodeId> order = graph_.Order();
    for (NodeId id : order) Link(graph_.node(id));
    for (ValueId input : graph_.inputs()) Open(input);
    for (const auto& output : graph_.outputs()) Open(output.value);
    for (NodeId id : order) AddNode(id, scheme);
    std::vector<ChannelGroup> fitting;
    for (auto& [root, group] : groups_) {
      if (!open_[root] && !group.values.empty() && !group.readers.empty())
        fitting.push_back(std::move(group));
    }
    return fitting;
  }

 private:
  size_t Root(ValueId id) { return sets_.Root(Index(id)); }
  // Something outside sees the values as they are.
  void Open(ValueId id) {
    if (id != ValueId::kNone) open_[Root(id)] = true;
  }

  void Link(const Node& node) {
    if (!Links(graph_, node) || node.outputs[0] == ValueId::kNone) return;
    const size_t output = Root(node.outputs[0]);
    for (ValueId input : node.inputs) {
      if (graph_.is_constant(input)) continue;
      const size_t root = Root(input);
      open_[output] = open_[output] || open_[root];
      sets_.Join(root, output);
    }
    for (size_t i = 1; i < node.outputs.size(); ++i) Open(node.outputs[i]);
  }

  void AddNode(NodeId id, const Scheme& scheme) {
    const Node& node = graph_.node(id);
    const bool layer = HasPlainWeights(graph_, node);
    const bool reads = layer && (node.attrs.i("group", 1) == 1 || IsDepthwise(graph_, node));
    const bool links = Links(graph_, node);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == ValueId::kNone || graph_.is_constant(node.inputs[i])) continue;
      if (reads && i == 0) {
        groups_[Root(node.inputs[0])].readers.push_back(id);
      } else if (!links) {
        Open(node.inputs[i]);
      }
    }
    for (ValueId output : node.outputs) {
      if (output == ValueId::kNone) continue;
      ChannelGroup& group = groups_[Root(output)];
      if (scheme.quantized(output)) group.values.push_back(output);
      if (const auto limit = LimitOf(graph_, node)) group.clipped.emplace_back(output, *limit);
      if (layer) {
        group.writers.push_back(id);
        group.channels = WeightChannels(graph_, node);
      } else if (!links) {
        Open(output);
      }
    }
  }

  const Graph& graph_;
  DisjointSets sets_;       // of values
  std::vector<bool> open_;  // by root
  std::map<size_t, ChannelGroup> groups_;
};

// Which channels each weight of a layer belongs to.
class WeightView {
 public:
  // `channels`: how many the layer's input has, where the weights don't tell (depthwise).
  WeightView(const Graph& graph, NodeId id, int64_t channels) {
    const Node& node = graph.node(id);
    const Tensor& weights = graph.value(node.inputs[1]).data;
    values_ = weights.as<float>();
    rows_ = weights.shape()[0];
    columns_ = weights.shape()[1];
    outputs_in_rows_ = WeightAxis(node, weights.rank()) == 0;
    if (IsDepthwise(graph, node)) rows_of_input_ = rows_ / channels;
  }
  int64_t outputs() const { return outputs_in_rows_ ? rows_ : columns_; }
  // f(index, weight, output channel, input channel) of each weight, in their order.
  template <typename F>
  void Each(F f) const {
    const auto taps = static_cast<size_t>(std::ssize(values_) / (rows_ * columns_));
    size_t i = 0;
    for (int64_t row = 0; row < rows_; ++row) {
      for (int64_t column = 0; column < columns_; ++column) {
        const int64_t output = outputs_in_rows_ ? row : column;
        const int64_t input = rows_of_input_     ? row / rows_of_input_
                              : outputs_in_rows_ ? column
                                                 : row;
        for (const size_t end = i + taps; i < end; ++i) f(i, values_[i], output, input);
      }
    }
  }

 private:
  std::span<const float> values_;  // [rows, columns, taps]
  int64_t rows_, columns_;
  bool outputs_in_rows_;
  int64_t rows_of_input_ = 0;  // of a depthwise layer
};

struct Magnitudes {
  std::vector<float> largest;                // of each channel, over the group's values
  std::vector<double> power;                 // mean square of each channel, the largest of a value
  std::vector<std::vector<float>> by_value;  // each channel's part of a value's range
  std::vector<float> of_limit;               // largest of a Clip's limit that the channel reached
};

// The noise at the readers' outputs, summed over them: activations are rounded to 1/255 of their
// range, weights to 1/127 of the largest of an output channel, uniformly.
double PredictedNoise(const std::vector<WeightView>& readers, const Magnitudes& magnitudes,
                      const std::vector<float>& factors) {
  double step_squared = 0;
  for (const auto& channels : magnitudes.by_value) {
    double range = 0;
    for (size_t c = 0; c < factors.size(); ++c)
      range = std::max(range, static_cast<double>(channels[c] / factors[c]));
    step_squared += range * range / (255.0 * 255.0);
  }
  std::vector<double> power(factors.size());  // of what is read, after the factors
  for (size_t c = 0; c < factors.size(); ++c)
    power[c] = magnitudes.power[c] / (static_cast<double>(factors[c]) * factors[c]);
  double activations = 0, weights = 0;
  for (const WeightView& reader : readers) {
    std::vector<double> largest(reader.outputs(), 0), read(reader.outputs(), 0);
    reader.Each([&](size_t, float weight, int64_t o, int64_t c) {
      const double w = static_cast<double>(weight) * factors[c];
      activations += w * w * step_squared;
      largest[o] = std::max(largest[o], std::fabs(w));
      read[o] += power[c];
    });
    for (int64_t o = 0; o < reader.outputs(); ++o)
      weights += largest[o] * largest[o] / (127.0 * 127.0) * read[o];
  }
  return activations + weights;
}

std::vector<float> Factors(const std::vector<WeightView>& readers, const Magnitudes& magnitudes,
                           float alpha) {
  const size_t channels = magnitudes.largest.size();
  std::vector<float> weight_max(channels, 0.0f);
  for (const WeightView& reader : readers) {
    reader.Each([&](size_t, float weight, int64_t, int64_t c) {
      weight_max[c] = std::max(weight_max[c], std::fabs(weight));
    });
  }
  const auto clips = [&](size_t c) { return magnitudes.of_limit[c] * kMargin >= 1; };
  const bool fixed = std::any_of(magnitudes.of_limit.begin(), magnitudes.of_limit.end(),
                                 [](float part) { return part * kMargin >= 1; });
  std::vector<float> factors(channels, 1.0f);
  // Channels that a Clip cuts keep their magnitude: the others fit themselves to them.
  double log_sum = 0;
  int64_t counted = 0;
  for (size_t c = 0; c < channels; ++c) {
    if (!(magnitudes.largest[c] > 0 && weight_max[c] > 0)) continue;
    factors[c] = std::pow(magnitudes.largest[c], alpha) / std::pow(weight_max[c], 1 - alpha);
    if (fixed && !clips(c)) continue;
    log_sum += std::log(factors[c]);
    ++counted;
  }
  const double mean = std::exp(log_sum / static_cast<double>(std::max<int64_t>(counted, 1)));
  for (size_t c = 0; c < channels; ++c) {
    const float least = std::max(1 / kLargestFactor, magnitudes.of_limit[c] * kMargin);
    factors[c] = clips(c) || magnitudes.largest[c] <= 0
                     ? 1.0f
                     : std::clamp(factors[c] / static_cast<float>(mean), least, kLargestFactor);
  }
  return factors;
}

// Empty where a value of the group was not seen channel by channel.
Magnitudes MagnitudesOf(const Graph& graph, const ChannelGroup& group,
                        const Statistics& statistics) {
  Magnitudes magnitudes;
  const auto channels = static_cast<size_t>(group.channels);
  magnitudes.largest.resize(channels, 0.0f);
  magnitudes.power.resize(channels, 0.0);
  for (ValueId id : group.values) {
    const auto at = statistics.find(graph.value(id).name);
    if (at == statistics.end() || at->second.channel_max.size() != channels) return {};
    std::vector<float> ranges = at->second.channel_max;
    if (at->second.histogram.min() < 0) {
      for (float& range : ranges) range *= 2;
    }
    magnitudes.by_value.push_back(std::move(ranges));
    const std::vector<double> power = at->second.ChannelPower();
    for (size_t c = 0; c < channels; ++c) {
      magnitudes.largest[c] = std::max(magnitudes.largest[c], at->second.channel_max[c]);
      magnitudes.power[c] = std::max(magnitudes.power[c], power[c]);
    }
  }
  magnitudes.of_limit.resize(channels, 0.0f);
  for (const auto& [id, limit] : group.clipped) {
    const auto at = statistics.find(graph.value(id).name);
    if (at == statistics.end() || at->second.channel_max.size() != channels) return {};
    for (size_t c = 0; c < channels; ++c)
      magnitudes.of_limit[c] = std::max(magnitudes.of_limit[c], at->second.channel_max[c] / limit);
  }
  return magnitudes;
}

// Sets a constant to what `fill` writes for it.
void Rewrite(Graph& graph, ValueId id, const auto& fill) {
  Tensor scaled = Tensor::Make(DType::kF32, graph.value(id).data.shape()).value();
  fill(scaled.mutable_as<float>());
  graph.SetConstant(id, scaled);
}

void Apply(Graph& graph, const ChannelGroup& group, const std::vector<float>& factors) {
  for (NodeId id : group.writers) {
    const Node& node = graph.node(id);
    const WeightView view(graph, id, group.channels);
    Rewrite(graph, node.inputs[1], [&](std::span<float> to) {
      view.Each(
          [&](size_t i, float w, int64_t output, int64_t) { to[i] = w * (1 / factors[output]); });
    });
    if (node.inputs.size() <= 2 || node.inputs[2] == ValueId::kNone) continue;
    const Tensor bias = graph.value(node.inputs[2]).data;
    Rewrite(graph, node.inputs[2], [&](std::span<float> to) {
      for (size_t c = 0; c < to.size(); ++c) to[c] = bias.as<float>()[c] * (1 / factors[c]);
    });
  }
  for (NodeId id : group.readers) {
    const WeightView view(graph, id, group.channels);
    Rewrite(graph, graph.node(id).inputs[1], [&](std::span<float> to) {
      view.Each([&](size_t i, float w, int64_t, int64_t input) { to[i] = w * factors[input]; });
    });
  }
}

}  // namespace

std::vector<ChannelGroup> FindChannelGroups(const Graph& graph, const Scheme& scheme) {
  return GroupFinder(graph).Run(scheme);
}

std::vector<std::string> EqualizeGroups(Graph& graph, const std::vector<ChannelGroup>& groups,
                                        const Statistics& statistics) {
  constexpr float kExponents[] = {0.5f, 0.75f, 1.0f};
  constexpr double kWorthwhile = 0.9;  // predicted noise against what it was
  std::vector<std::string> changed;
  for (const ChannelGroup& group : groups) {
    const Magnitudes magnitudes = MagnitudesOf(graph, group, statistics);
    if (magnitudes.largest.empty()) continue;
    std::vector<WeightView> readers;
    for (NodeId id : group.readers) readers.emplace_back(graph, id, group.channels);
    std::vector<float> best(magnitudes.largest.size(), 1.0f);
    const double before = PredictedNoise(readers, magnitudes, best);
    double least = before;
    for (const float alpha : kExponents) {
      std::vector<float> factors = Factors(readers, magnitudes, alpha);
      const double noise = PredictedNoise(readers, magnitudes, factors);
      if (noise >= least) continue;
      least = noise;
      best = std::move(factors);
    }
    if (least >= before * kWorthwhile) continue;
    Apply(graph, group, best);
    for (ValueId id : group.values) changed.push_back(graph.value(id).name);
  }
  return changed;
}

}  // namespace pare::compress
