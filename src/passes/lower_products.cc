// Convolutions and matrix products of quantized operands: acc = Σ (x − x_zero)·(w − w_zero) + bias
// in integers, y = acc · x_scale · w_scale[channel] / y_scale.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/dequantized.h"
#include "passes/integer_lowering.h"
#include "passes/numbers.h"

namespace pare::passes {

using graph::Attrs;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Quantized constant weights, one row a channel: s8 with a zero point each.
struct Weights {
  Tensor s8;                  // Conv: [out, k…, in/group]; matrices: [n, k]
  std::vector<double> scale;  // for each channel
  std::vector<int64_t> zero;
};

// One value for each channel, from one for all or one for each.
std::optional<std::vector<double>> PerChannel(const Tensor& tensor, int64_t channels) {
  std::vector<double> values = Doubles(tensor);
  if (values.size() == 1) values.resize(static_cast<size_t>(channels), values[0]);
  if (std::ssize(values) != channels) return std::nullopt;
  return values;
}

// w − zero as s8 where that fits; u8 weights else move by 128, and so does their zero point.
template <typename T>
void MoveToS8(Weights& weights, const Tensor& integers) {
  const auto w = integers.as<T>();
  const size_t channels = weights.zero.size(), inner = channels ? w.size() / channels : 0;
  const bool symmetric =
      std::all_of(weights.zero.begin(), weights.zero.end(), [](int64_t zero) { return zero == 0; });
  if (std::is_same_v<T, int8_t> && symmetric) {
    weights.s8 = integers;
    return;
  }
  bool fits = true;
  for (size_t c = 0; c < channels && fits; ++c) {
    const auto [lo, hi] = std::minmax_element(w.begin() + c * inner, w.begin() + (c + 1) * inner);
    fits = inner == 0 || (*lo - weights.zero[c] >= -128 && *hi - weights.zero[c] <= 127);
  }
  const int64_t shift = std::is_same_v<T, uint8_t> ? 128 : 0;
  const auto moves = [&](size_t c) { return fits ? weights.zero[c] : shift; };
  weights.s8 = Tensor::Make(DType::kI8, integers.shape()).value();
  const auto s8 = weights.s8.mutable_as<int8_t>();
  for (size_t c = 0; c < channels; ++c) {
    const int64_t by = moves(c);
    for (size_t i = c * inner; i < (c + 1) * inner; ++i) s8[i] = static_cast<int8_t>(w[i] - by);
  }
  for (int64_t& zero : weights.zero) zero = fits ? 0 : zero - shift;
}

// The DequantizeLinear of constants that `value` is; null where it is something else.
const Node* ConstantsDequantizer(const graph::Graph& graph, ValueId value) {
  const Node* dq = graph.producer_of(value);
  const bool of_constants =
      dq && dq->op == "DequantizeLinear" && ops::DequantizesConstants(graph, *dq);
  return of_constants ? dq : nullptr;
}

// That of weights whose channels lie along `axis`, and have a scale each or one for all.
const Node* WeightsDequantizer(const graph::Graph& graph, ValueId value, int axis) {
  const Node* dq = ConstantsDequantizer(graph, value);
  if (!dq || dq->attrs.i("block_size", 0) != 0) return nullptr;
  const Tensor& integers = graph.value(dq->inputs[0]).data;
  const DType dtype = InMemory(integers.dtype());
  if ((dtype != DType::kU8 && dtype != DType::kI8) || integers.rank() < 2) return nullptr;
  const int64_t dq_axis = dq->attrs.i("axis", 1);
  const bool along = dq_axis == axis || dq_axis + integers.rank() == axis;
  return along || graph.value(dq->inputs[1]).data.count() <= 1 ? dq : nullptr;
}

std::optional<Weights> WeightsOf(const graph::Graph& graph, ValueId value, int axis) {
  const Node* dq = WeightsDequantizer(graph, value, axis);
  if (!dq) return std::nullopt;
  Tensor integers = graph.value(dq->inputs[0]).data;
  // The kernels take bytes: narrow weights are those already, by another name.
  if (IsNarrow(integers.dtype())) integers = Cast(integers, InMemory(integers.dtype())).value();
  const int64_t channels = integers.shape()[axis];
  const Tensor& scales = graph.value(dq->inputs[1]).data;
  Weights weights;
  const auto scale = PerChannel(scales, channels);
  if (!scale) return std::nullopt;
  weights.scale = *scale;
  weights.zero.resize(static_cast<size_t>(channels));
  if (dq->inputs.size() > 2 && dq->inputs[2] != ValueId::kNone) {
    const auto zero = PerChannel(graph.value(dq->inputs[2]).data, channels);
    if (!zero) return std::nullopt;
    std::copy(zero->begin(), zero->end(), weights.zero.begin());
  }
  if (axis != 0) integers = Transposed(integers, graph::Ints{1, 0});
  if (integers.dtype() == DType::kU8) {
    MoveToS8<uint8_t>(weights, integers);
  } else {
    MoveToS8<int8_t>(weights, integers);
  }
  return weights;
}

// A bias of one value for each channel, which are the last axis of what it is added to, or of one
// for all. A column of as many rows is another thing.
std::optional<std::vector<double>> PerLastAxis(const Tensor& bias, int64_t channels) {
  if (bias.count() != 1 && (bias.rank() == 0 || bias.shape().back() != channels))
    return std::nullopt;
  return PerChannel(bias, channels);
}

// The real values of a bias: a constant, or a DequantizeLinear of one.
std::optional<std::vector<double>> BiasOf(const graph::Graph& graph, ValueId value,
                                          int64_t channels) {
  if (graph.is_constant(value)) return PerLastAxis(graph.value(value).data, channels);
  const Node* dq = ConstantsDequantizer(graph, value);
  if (!dq) return std::nullopt;
  auto bias = PerLastAxis(graph.value(dq->inputs[0]).data, channels);
  const auto scale = PerChannel(graph.value(dq->inputs[1]).data, channels);
  if (!bias || !scale) return std::nullopt;
  const bool has_zero = dq->inputs.size() > 2 && dq->inputs[2] != ValueId::kNone;
  const auto zero = has_zero ? PerChannel(graph.value(dq->inputs[2]).data, channels)
                             : std::vector<double>(bias->size());
  if (!zero) return std::nullopt;
  for (size_t c = 0; c < bias->size(); ++c) {
    (*bias)[c] = ((*bias)[c] - (*zero)[c]) * (*scale)[c];
  }
  return bias;
}

// Whether no sum Σ (x − x_zero)·(w − w_zero) + bias of bytes x leaves i32, in which kernels compute
// it. `bias` in units of the sum; own files leave much room, those of others need not.
bool SumsFit(const Weights& weights, const Scale& x, const std::vector<double>& bias) {
  const auto w = weights.s8.as<int8_t>();
  const size_t channels = weights.zero.size(), inner = channels ? w.size() / channels : 0;
  const double x_most = std::max(x.zero_point, 255 - x.zero_point);
  for (size_t c = 0; c < channels; ++c) {
    int64_t magnitudes = 0;
    for (size_t i = c * inner; i < (c + 1) * inner; ++i)
      magnitudes += std::abs(w[i] - weights.zero[c]);
    const double most = x_most * static_cast<double>(magnitudes);
    const double level = bias.empty() ? 0 : bias[c];
    if (!(level - most >= std::numeric_limits<int32_t>::min() &&
          level + most <= std::numeric_limits<int32_t>::max())) {
      return false;
    }
  }
  return true;
}

// Which axis of operand 1 carries the output's channels; nullopt where there is no integer form.
std::optional<int> ChannelAxis(const graph::Graph& graph, const Node& node) {
  if (node.op == "Conv") {
    const graph::TensorType& x = graph.value(node.inputs[0]).type;
    const bool last = node.attrs.i("channels_last", 0) != 0;
    return last && x.has_rank() && x.rank() <= 4 ? std::optional(0) : std::nullopt;
  }
  const graph::TensorType& b = graph.value(node.inputs[1]).type;
  if (!b.has_rank() || b.rank() != 2) return std::nullopt;
  if (node.op != "Gemm") return 1;
  if (node.attrs.f("alpha", 1) != 1 || node.attrs.f("beta", 1) != 1 ||
      node.attrs.i("transA", 0) != 0) {
    return std::nullopt;
  }
  return node.attrs.i("transB", 0) != 0 ? 0 : 1;
}

Attrs WithoutFloatAttributes(const Node& node) {
  Attrs attrs;
  for (const auto& [name, value] : node.attrs) {
    const bool kept = node.op == "Conv" && !name.starts_with("activation");
    if (kept) attrs.set(name, value);
  }
  return attrs;
}

}  // namespace

bool MayBeInteger(const graph::Graph& graph, const Node& product) {
  if (product.op == "ConvTranspose") return false;
  const auto axis = ChannelAxis(graph, product);
  if (!axis || !WeightsDequantizer(graph, product.inputs[1], *axis)) return false;
  const Node* x = ops::DequantizerOf(graph, product.inputs[0]);
  return x && !graph.is_constant(x->inputs[0]) &&
         ScaleOf(graph, *x, graph.value(x->inputs[0]).type.dtype);
}

bool MayBeIntegerBias(const graph::Graph& graph, ValueId value, int64_t channels) {
  return BiasOf(graph, value, channels).has_value();
}

std::optional<IntegerLowering::Product> IntegerLowering::ProductOf(const Node& node,
                                                                   double y_scale) {
  const auto x = QuantizedOf(node.inputs[0]);
  const auto axis = ChannelAxis(graph_, node);
  if (!x || !axis) return std::nullopt;
  auto weights = WeightsOf(graph_, node.inputs[1], *axis);
  if (!weights) return std::nullopt;
  const int64_t channels = std::ssize(weights->scale);
  const ValueId y = node.outputs[0];
  Product product{.x = *x, .attrs = WithoutFloatAttributes(node)};

  std::vector<double> unit(weights->scale);  // of the sum, for each channel
  for (double& value : unit) value *= x->scale.scale;
  std::vector<double> levels;
  if (node.inputs.size() > 2 && node.inputs[2] != ValueId::kNone) {
    const auto bias = BiasOf(graph_, node.inputs[2], channels);
    if (!bias) return std::nullopt;
    for (size_t c = 0; c < bias->size(); ++c)
      levels.push_back((*bias)[c] == 0 ? 0 : RoundEven((*bias)[c] / unit[c]));
  }
  if (!SumsFit(*weights, x->scale, levels)) return std::nullopt;
  if (!levels.empty())
    product.bias = Constant(y, "bias", FromDoubles(DType::kI32, {channels}, levels));
  for (double& value : unit) value /= y_scale;
  product.weights = Constant(y, "weights", weights->s8);
  product.multiplier = Constant(y, "multiplier", FromDoubles(DType::kF32, {channels}, unit));
  const bool shifted = std::any_of(weights->zero.begin(), weights->zero.end(),
                                   [](int64_t zero) { return zero != 0; });
  if (shifted) {
    const std::vector<double> zero(weights->zero.begin(), weights->zero.end());
    product.weights_zero =
        Constant(y, "weights_zero_point", FromDoubles(DType::kI32, {channels}, zero));
  }
  product.attrs.set("x_zero_point", int64_t{x->scale.zero_point});
  return product;
}

IntegerLowering::Lowered IntegerLowering::LowerProduct(const Node& node, const Scale& to) {
  const bool clamps = node.attrs.s("activation") == "clamp";
  if (!clamps && !node.attrs.s("activation").empty()) return std::nullopt;
  const bool has_residual = node.inputs.size() > 3 && node.inputs[3] != ValueId::kNone;
  std::optional<Quantized> residual;
  if (has_residual) {
    residual = QuantizedOf(node.inputs[3]);
    if (!residual) return std::nullopt;
  }
  auto product = ProductOf(node, to.scale);
  if (!product) return std::nullopt;
  Attrs attrs = std::move(product->attrs);
  attrs.set("y_zero_point", int64_t{to.zero_point});
  if (clamps) {
    attrs.set("lo", QuantizeU8(node.attrs.f("activation_lo", -kInfinity), to));
    attrs.set("hi", QuantizeU8(node.attrs.f("activation_hi", kInfinity), to));
  }
  if (residual) {
    attrs.set("residual_zero_point", int64_t{residual->scale.zero_point});
    attrs.set("residual_multiplier",
              static_cast<float>(static_cast<double>(residual->scale.scale) / double{to.scale}));
  }
  return Add(node.op == "Conv" ? "pare.QConv" : "pare.QGemm",
             {product->x.u8, product->weights, product->multiplier, product->bias,
              residual ? residual->u8 : ValueId::kNone, product->weights_zero},
             std::move(attrs), node);
}

Result<bool> IntegerLowering::LowerToFloat(NodeId id) {
  const auto residual_of = [&] {
    const std::vector<ValueId>& inputs = graph_.node(id).inputs;
    return inputs.size() > 3 ? inputs[3] : ValueId::kNone;
  };
  if (residual_of() != ValueId::kNone) {
    const NodeId producer = graph_.value(residual_of()).producer;
    if (producer != NodeId::kNone) PARE_TRY(Settle(producer));
  }
  const Node node = graph_.node(id);
  const bool is_product =
      node.op == "Conv" || node.op == "Gemm" || node.op == "MatMul" || node.op == "pare.MatMul";
  auto product = is_product ? ProductOf(node, 1.0) : std::nullopt;
  if (!product || !context_.Allow("integer-product-to-float")) return false;
  Attrs activation, attrs = std::move(product->attrs);
  attrs.set("output", std::string("f32"));
  // A residual is added behind, and the activation then comes behind that.
  const bool has_residual = residual_of() != ValueId::kNone;
  for (const auto& [name, value] : node.attrs) {
    if (name.starts_with("activation")) (has_residual ? activation : attrs).set(name, value);
  }
  PARE_ASSIGN(ValueId y, Add(node.op == "Conv" ? "pare.QConv" : "pare.QGemm",
                             {product->x.u8, product->weights, product->multiplier, product->bias,
                              ValueId::kNone, product->weights_zero},
                             std::move(attrs), node));
  const ValueId old = node.outputs[0];
  if (has_residual) {
    if (graph_.value(old).channels_last) graph_.SetChannelsLast(y);
    PARE_ASSIGN(const ValueId residual, FloatOf(node.inputs[3]));
    PARE_ASSIGN(y, Add("Add", {y, residual}, std::move(activation), node));
  }
  if (graph_.value(old).channels_last) graph_.SetChannelsLast(y);
  graph_.ReplaceUses(old, y);
  if (graph_.value(old).pinned) {
    graph_.SetPinned(old, false);
    graph_.SetPinned(y, true);
  }
  const std::string name = graph_.value(old).name;
  graph_.Rename(old, graph_.FreshName(name + ".replaced"));
  graph_.Rename(y, name);
  graph_.RemoveNode(id);
  return true;
}

}  // namespace pare::passes
