#include "compress/quantize/write_qdq.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "compress/bias_of_product.h"
#include "compress/quantize/domain.h"
#include "ops/dequantized.h"
#include "ops/node_view.h"
#include "ops/op_def.h"
#include "ops/pairs.h"

namespace pare::compress {

using graph::Attrs;
using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;
using ops::Role;

namespace {

// Walks the elements of one channel: channels lie `inner` apart, in `outer` runs.
struct ChannelView {
  int64_t outer, channels, inner;
  ChannelView(const Dims& shape, int axis) : outer(1), channels(shape[axis]), inner(1) {
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  }
  template <typename F>
  void Each(int64_t channel, F f) const {
    for (int64_t o = 0; o < outer; ++o) {
      const int64_t begin = (o * channels + channel) * inner;
      for (int64_t i = begin; i < begin + inner; ++i) f(i);
    }
  }
};

// Where levels are few, what lies beyond the range costs less than steps that are too coarse.
std::span<const float> CutsFor(int bits) {
  static constexpr float kFine[] = {0.97f, 0.94f, 0.91f, 0.88f, 0.84f, 0.8f};
  static constexpr float kCoarse[] = {0.97f, 0.94f, 0.91f, 0.88f, 0.84f, 0.8f,  0.76f, 0.72f,
                                      0.68f, 0.64f, 0.6f,  0.56f, 0.52f, 0.48f, 0.44f, 0.4f};
  // Pairs that don't fit are cut, or the steps wider.
  static constexpr float kOfPairs[] = {0.94f, 1.1f, 1.2f, 1.3f, 1.42f, 1.56f, 1.72f, 1.9f};
  if (bits == 7) return kOfPairs;
  return bits > 4 ? std::span<const float>(kFine) : kCoarse;
}

// Rounds a layer's weights, channel by channel.
class Rounder {
 public:
  Rounder(const Tensor& weights, int channel_axis, int bits)
      : weights_(weights.as<float>()),
        order_(weights.shape(), channel_axis),
        bits_(bits),
        largest_(static_cast<float>(LargestLevel(bits))),
        values_(static_cast<size_t>(order_.depth())),
        exact_(values_.size()),
        levels_(values_.size()) {}

  int64_t channels() const { return order_.channels(); }
  // The channel that the others speak of.
  void Take(int64_t channel) {
    channel_ = channel;
    for (size_t i = 0; i < values_.size(); ++i) values_[i] = weights_[At(i)];
  }
  // The squared error that `scale` leaves.
  double Round(float scale);
  // With the least error.
  float BestScale();
  // The levels of the last rounding.
  void Store(std::span<int8_t> to) const {
    for (size_t i = 0; i < levels_.size(); ++i) to[At(i)] = levels_[i];
  }

 private:
  size_t At(size_t place) const {
    return static_cast<size_t>(order_.index(channel_, static_cast<int64_t>(place)));
  }

  std::span<const float> weights_;
  ops::PairOrder order_;
  int bits_;
  float largest_;
  int64_t channel_ = 0;
  std::vector<float> values_, exact_;  // exact_: in steps
  std::vector<int8_t> levels_;
};

double Rounder::Round(float scale) {
  for (size_t i = 0; i < values_.size(); ++i) {
    exact_[i] = values_[i] / scale;
    levels_[i] = static_cast<int8_t>(std::clamp(std::nearbyint(exact_[i]), -largest_, largest_));
  }
  if (bits_ == 7) order_.Fit(exact_, levels_);
  double error = 0;
  for (size_t i = 0; i < values_.size(); ++i) {
    const double difference = values_[i] - static_cast<float>(levels_[i]) * scale;
    error += difference * difference;
  }
  return error;
}

float Rounder::BestScale() {
  float magnitude = 0;
  for (const float value : values_) magnitude = std::max(magnitude, std::fabs(value));
  if (!(magnitude > 0)) return 1.0f;
  const float full = std::max(magnitude / largest_, 1e-12f);
  float best = full;
  double best_error = Round(full);
  for (const float cut : CutsFor(bits_)) {
    const double error = Round(full * cut);
    if (error < best_error) {
      best_error = error;
      best = full * cut;
    }
  }
  return best;
}

Tensor CopyOf(const Tensor& tensor) {
  Tensor copy = Tensor::Make(tensor.dtype(), tensor.shape()).value();
  std::memcpy(copy.mutable_data(), tensor.data(), tensor.bytes());
  return copy;
}

// A bias is counted in steps of input_scale · the channel's scale. Where a channel's weights are
// all but zero, these steps are so fine that its bias does not fit: the channel gets coarser ones.
void MakeRoomForBias(QuantizedWeights& weights, std::span<const float> bias, float input_scale) {
  const ChannelView view(weights.values.shape(), weights.channel_axis);
  Tensor values;  // a copy: other forms of the graph share the weights
  for (int64_t c = 0; c < view.channels; ++c) {
    const auto least = static_cast<float>(std::fabs(bias[c]) / (kLargestBias * input_scale));
    const float scale = weights.scales[c];
    if (!(scale < least)) continue;
    if (!values) values = CopyOf(weights.values);
    const auto levels = values.mutable_as<int8_t>();
    view.Each(c, [&](int64_t i) {
      levels[i] = static_cast<int8_t>(std::nearbyint(levels[i] * (scale / least)));
    });
    weights.scales[c] = least;
  }
  if (values) weights.values = std::move(values);
}

class QdqWriter {
 public:
  QdqWriter(Graph& graph, const Scheme& scheme, const std::vector<QuantParams>& params,
            const LayerWeights& weights)
      : graph_(graph), scheme_(scheme), params_(params), weights_(weights) {}

  Status Run() {
    for (const Layer& layer : scheme_.layers) {
      if (layer.integer && layer.weighted) PARE_TRY(WriteWeights(layer));
    }
    for (const auto& [value, group] : scheme_.group_of) WriteActivation(value, params_[group]);
    for (NodeId id : graph_.Order()) KeepFloat(id);
    ClipToDomains(graph_);
    return {};
  }

 private:
  ValueId ScaleConstant(ValueId value, float scale) {
    return graph_.AddConstant(graph_.value(value).name + "_scale", Tensor::Scalar(scale));
  }
  ValueId ZeroConstant(ValueId value, int zero_point) {
    return graph_.AddConstant(graph_.value(value).name + "_zero",
                              Tensor::Scalar(static_cast<uint8_t>(zero_point)));
  }

  void WriteActivation(ValueId value, const QuantParams& params) {
    const ValueId scale = ScaleConstant(value, params.scale);
    const ValueId zero = ZeroConstant(value, params.zero_point);
    const std::string name = graph_.value(value).name;
    const std::vector<graph::Use> uses = graph_.value(value).uses;
    // Outside, an output's name is that of what is computed last; what is an input, too, has it.
    const bool is_output = graph_.is_output(value) && graph_.value(value).producer != NodeId::kNone;
    if (is_output) graph_.Rename(value, name + "_unrounded");
    const NodeId q = graph_.AddNode("QuantizeLinear", {value, scale, zero}, {name + "_quantized"});
    const NodeId dq = graph_.AddNode("DequantizeLinear", {graph_.node(q).outputs[0], scale, zero},
                                     {is_output ? name : name + "_dequantized"});
    const ValueId result = graph_.node(dq).outputs[0];
    for (const graph::Use& use : uses) graph_.SetInput(use.node, use.input, result);
    if (!is_output) return;
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      if (graph_.outputs()[i].value == value) graph_.SetOutputValue(static_cast<int>(i), result);
    }
  }

  // ONNX Runtime rounds the weights of a layer in float after all, with one scale for all channels,
  // where its input was dequantized (its optimizer WeightBiasQuantization), maybe moved since: no
  // more where another node stands between, which changes nothing. A MatMul with an Add behind it
  // is a Gemm there by then (MatMulAddFusion).
  void KeepFloat(NodeId id) {
    const Node& node = graph_.node(id);
    const bool weighted = node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm" ||
                          (node.op == "MatMul" && IsAddedTo(node.outputs[0]));
    if (!weighted || !graph_.is_constant(node.inputs[1])) return;
    const ValueId input = node.inputs[0];
    if (!ops::DequantizerOf(graph_, input)) return;
    const auto [at, fresh] = apart_.try_emplace(input);
    if (fresh) {
      const NodeId max = graph_.AddNode("Max", {input}, {graph_.value(input).name + "_float"});
      at->second = graph_.node(max).outputs[0];
    }
    graph_.SetInput(id, 0, at->second);
  }

  bool IsAddedTo(ValueId value) const {
    const auto& uses = graph_.value(value).uses;
    return uses.size() == 1 && graph_.node(uses[0].node).op == "Add";
  }

  float InputScale(const Node& node, const ops::OpDef& op) const {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (op.quant.inputs[i].role == Role::kActivation)
        return params_[scheme_.group_of.at(node.inputs[i])].scale;
    }
    return 1;
  }

  Status WriteWeights(const Layer& layer) {
    const Node node = graph_.node(layer.node);
    const ops::OpDef& op = *ops::FindOp(node.op);
    const int input = WeightInput(node), bias = BiasInput(node, op);
    if (bias >= 0 && !IsBiasOfChannels(graph_, node, bias)) {
      return Fail(ErrorKind::kInternal,
                  Text("the bias of ", layer.name, " is not one number a channel"));
    }
    const float input_scale = InputScale(node, op);
    QuantizedWeights quantized = *weights_.at(layer.node);
    // Engines count the bias behind a MatMul in these steps, too, though it is float in the file.
    const ValueId biases = bias >= 0 ? node.inputs[bias] : BiasBehind(layer.node);
    if (biases != ValueId::kNone)
      MakeRoomForBias(quantized, graph_.value(biases).data.as<float>(), input_scale);
    WriteConstant(layer.node, input, graph_.value(node.inputs[input]).name, quantized.values,
                  quantized.scales, quantized.channel_axis);
    for (float& scale : quantized.scales) scale *= input_scale;
    return bias >= 0 ? WriteBias(layer, bias, quantized.scales) : Status();
  }

  ValueId BiasBehind(NodeId product) const {
    const NodeId add = BiasAddOf(graph_, product);
    return add == NodeId::kNone ? ValueId::kNone
                                : graph_.node(add).inputs[BiasOperand(graph_, add)];
  }

  static int BiasInput(const Node& node, const ops::OpDef& op) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (op.quant.inputs[i].role == Role::kBias && node.inputs[i] != ValueId::kNone)
        return static_cast<int>(i);
    }
    return -1;
  }

  Status WriteBias(const Layer& layer, int input, const std::vector<float>& scales) {
    const ValueId id = graph_.node(layer.node).inputs[input];
    const Tensor& bias = graph_.value(id).data;
    PARE_ASSIGN(Tensor integers, Tensor::Make(DType::kI32, bias.shape()));
    const auto in = bias.as<float>();
    const auto out = integers.mutable_as<int32_t>();
    for (size_t c = 0; c < scales.size(); ++c) {
      const double level = std::nearbyint(static_cast<double>(in[c]) / scales[c]);
      out[c] = static_cast<int32_t>(std::clamp(level, -kLargestBias, kLargestBias));
    }
    WriteConstant(layer.node, input, graph_.value(id).name, integers, scales, bias.rank() - 1);
    return {};
  }

  // The operand becomes DequantizeLinear(integers, scales[, zeros]). `name` is a copy: the graph
  // moves its own while it grows.
  void WriteConstant(NodeId node, int input, std::string name, const Tensor& integers,
                     const std::vector<float>& scales, int axis) {
    const auto count = static_cast<int64_t>(scales.size());
    std::vector<ValueId> operands = {
        graph_.AddConstant(name + "_quantized", integers),
        graph_.AddConstant(name + "_scale", Tensor::Of<float>({count}, scales))};
    if (integers.dtype() != DType::kI32) {
      operands.push_back(
          graph_.AddConstant(name + "_zero", Tensor::Zeros(integers.dtype(), {count}).value()));
    }
    const NodeId dq = graph_.AddNode("DequantizeLinear", operands, {name + "_dequantized"},
                                     Attrs{{"axis", int64_t{axis}}});
    graph_.SetInput(node, input, graph_.node(dq).outputs[0]);
  }

  Graph& graph_;
  const Scheme& scheme_;
  const std::vector<QuantParams>& params_;
  const LayerWeights& weights_;
  std::map<ValueId, ValueId> apart_;  // behind such a node
};

}  // namespace

int WeightInput(const Node& node) {
  const ops::OpDef& op = *ops::FindOp(node.op);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (op.quant.inputs[i].role == Role::kWeight) return static_cast<int>(i);
  }
  return 1;
}

int WeightAxis(const Node& node, int rank) {
  const ops::OpDef* op = ops::FindOp(node.op);
  if (node.op == "Gemm") return node.attrs.i("transB", 0) ? 0 : 1;
  if (node.op == "MatMul") return rank - 1;
  return op ? op->quant.inputs[1].channel_axis : 0;
}

int64_t WeightChannels(const Graph& graph, const Node& node) {
  const Tensor& weights = graph.value(node.inputs[WeightInput(node)]).data;
  return weights.shape()[WeightAxis(node, weights.rank())];
}

int64_t ProductsOf(const Graph& graph, const Node& node) {
  const int64_t weights = graph.value(node.inputs[WeightInput(node)]).data.count();
  return weights / std::max<int64_t>(WeightChannels(graph, node), 1);
}

bool IsBiasOfChannels(const Graph& graph, const Node& node, size_t input) {
  const Tensor& bias = graph.value(node.inputs[input]).data;
  const int64_t channels = WeightChannels(graph, node);
  return bias.rank() > 0 && bias.count() == channels && bias.shape().back() == channels;
}

int LargestLevel(int bits) { return bits == 7 ? 127 : (1 << (bits - 1)) - 1; }

QuantizedWeights QuantizeWeights(const Tensor& weights, int channel_axis, int bits) {
  Rounder rounder(weights, channel_axis, bits);
  std::vector<float> scales;
  for (int64_t channel = 0; channel < rounder.channels(); ++channel) {
    rounder.Take(channel);
    scales.push_back(rounder.BestScale());
  }
  return RoundWeights(weights, channel_axis, bits, std::move(scales));
}

QuantizedWeights RoundWeights(const Tensor& weights, int channel_axis, int bits,
                              std::vector<float> scales) {
  const DType dtype = bits > 4 ? DType::kI8 : DType::kI4;
  QuantizedWeights rounded{
      Tensor::Make(dtype, weights.shape()).value(), std::move(scales), channel_axis, bits, {}};
  const auto levels = rounded.values.mutable_as<int8_t>();
  Rounder rounder(weights, channel_axis, bits);
  for (int64_t channel = 0; channel < rounder.channels(); ++channel) {
    rounder.Take(channel);
    rounder.Round(rounded.scales[channel]);
    rounder.Store(levels);
  }
  return rounded;
}

Tensor DequantizeWeights(const QuantizedWeights& weights) {
  const ChannelView view(weights.values.shape(), weights.channel_axis);
  Tensor result = Tensor::Make(DType::kF32, weights.values.shape()).value();
  const auto in = weights.values.as<int8_t>();
  const auto out = result.mutable_as<float>();
  for (int64_t channel = 0; channel < view.channels; ++channel) {
    view.Each(channel,
              [&](int64_t i) { out[i] = static_cast<float>(in[i]) * weights.scales[channel]; });
  }
  return result;
}

Status WriteQdq(Graph& graph, const Scheme& scheme, const std::vector<QuantParams>& params,
                const LayerWeights& weights) {
  PARE_TRY(QdqWriter(graph, scheme, params, weights).Run());
  graph.RemoveDead();
  return ops::InferTypes(graph);
}

}  // namespace pare::compress
