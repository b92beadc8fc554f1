// y = s·L(x) + t with constants s, t for each output channel and a linear operator L is again
// linear: its weights are s·W, its bias s·b + t. And L(s·x + t) with constants for each input
// channel is, too, where no padding mixes zeros in behind the shift.
#include <algorithm>
#include <cmath>

#include "passes/numbers.h"
#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

// s and t of each channel.
struct Affine {
  std::vector<double> scale, shift;
};

std::optional<Affine> OfBatchNorm(const Match& m) {
  const Node& node = m.node("y");
  if (node.attrs.i("training_mode", 0) != 0) return std::nullopt;
  const double epsilon = node.attrs.f("epsilon", 1e-5f);
  Affine affine{Doubles(m.constant("scale")), Doubles(m.constant("bias"))};
  const std::vector<double> mean = Doubles(m.constant("mean"));
  const std::vector<double> variance = Doubles(m.constant("variance"));
  const size_t channels = affine.scale.size();
  if (affine.shift.size() != channels || mean.size() != channels || variance.size() != channels)
    return std::nullopt;
  for (size_t c = 0; c < channels; ++c) {
    affine.scale[c] /= std::sqrt(variance[c] + epsilon);
    affine.shift[c] -= mean[c] * affine.scale[c];
  }
  return affine;
}

// x op c, with c constant for each channel.
std::optional<Affine> OfArithmetic(const Match& m, int rank, int axis, int64_t channels) {
  auto values = AlongAxis(m.constant("c"), rank, axis, channels);
  if (!values) return std::nullopt;
  const std::string& op = m.node("y").op;
  const auto count = static_cast<size_t>(channels);
  Affine affine{std::vector<double>(count, 1.0), std::vector<double>(count, 0.0)};
  for (size_t c = 0; c < count; ++c) {
    if (op == "Mul") affine.scale[c] = (*values)[c];
    if (op == "Div") affine.scale[c] = 1 / (*values)[c];
    if (op == "Add") affine.shift[c] = (*values)[c];
    if (op == "Sub") affine.shift[c] = -(*values)[c];
    if (!std::isfinite(affine.scale[c])) return std::nullopt;
  }
  return affine;
}

// The weights of a linear operator as [outer, channels, inner] and [outer, inputs, inner] views.
struct Linear {
  Tensor weights;
  std::optional<Tensor> bias;
  int64_t channels;       // of the output
  int64_t groups;         // of a ConvTranspose and a Conv, else 1
  bool output_first;      // weights [out, in/g, …]; else [in, out/g, …]
  int rank, output_axis;  // of the output, and which axis carries the channels
};

std::optional<Linear> LinearOf(const Graph& graph, const Node& node,
                               const graph::TensorType& type) {
  if (node.inputs.size() < 2 || !graph.is_constant(node.inputs[1]) || !type.has_rank() ||
      !node.attrs.s("activation").empty() || node.attrs.i("channels_last", 0) != 0 ||
      node.inputs.size() > 3)
    return std::nullopt;
  Linear linear{graph.value(node.inputs[1]).data, {}, 0, 1, true, type.rank(), 1};
  if (!IsFloat(linear.weights.dtype()) || linear.weights.rank() < 2) return std::nullopt;
  const bool has_bias = node.inputs.size() == 3 && node.inputs[2] != ValueId::kNone;
  if (has_bias && !graph.is_constant(node.inputs[2])) return std::nullopt;
  const Dims& shape = linear.weights.shape();
  linear.groups = node.attrs.i("group", 1);
  if (linear.groups < 1 || shape[0] % linear.groups != 0) return std::nullopt;
  if (node.op == "Conv") {
    linear.channels = shape[0];
  } else if (node.op == "ConvTranspose") {
    linear.output_first = false;
    linear.channels = shape[1] * linear.groups;
  } else {  // Gemm, MatMul
    if (linear.weights.rank() != 2) return std::nullopt;
    if (node.op == "Gemm" && (node.attrs.f("alpha", 1) != 1 || node.attrs.f("beta", 1) != 1)) {
      return std::nullopt;
    }
    linear.output_first = node.op == "Gemm" && node.attrs.i("transB", 0) != 0;
    linear.channels = linear.output_first ? shape[0] : shape[1];
    linear.output_axis = type.rank() - 1;
    linear.groups = 1;
  }
  if (has_bias) {
    const auto values =
        AlongAxis(graph.value(node.inputs[2]).data, linear.rank,
                  node.op == "Gemm" ? linear.output_axis : linear.rank - 1, linear.channels);
    if (!values) return std::nullopt;
    linear.bias = FromDoubles(linear.weights.dtype(), {linear.channels}, *values);
  }
  return linear;
}

// Calls f(element, output channel, input channel) for each element of the weights, in order.
template <typename F>
void ForEachWeight(const Linear& linear, F&& f) {
  const Dims& shape = linear.weights.shape();
  const int64_t rows = shape[0], columns = shape[1];
  const int64_t inner = linear.weights.count() / std::max<int64_t>(1, rows * columns);
  size_t element = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t group = row / (rows / linear.groups);
    for (int64_t column = 0; column < columns; ++column) {
      const auto first = static_cast<size_t>(row);
      const auto second = static_cast<size_t>(group * columns + column);
      const size_t out = linear.output_first ? first : second;
      const size_t in = linear.output_first ? second : first;
      for (int64_t i = 0; i < inner; ++i) f(element++, out, in);
    }
  }
}

// The weights with f(value, output channel, input channel) in place of each value, rounded once.
template <typename F>
Tensor MapWeights(const Linear& linear, F&& f) {
  const Tensor from = Cast(linear.weights, DType::kF32).value();
  Tensor mapped = Tensor::Make(DType::kF32, from.shape()).value();
  const auto old_values = from.as<float>();
  const auto values = mapped.mutable_as<float>();
  ForEachWeight(linear, [&](size_t i, size_t out, size_t in) {
    values[i] = static_cast<float>(f(double{old_values[i]}, out, in));
  });
  return Cast(mapped, linear.weights.dtype()).value();
}

int64_t InputChannels(const Linear& linear) {
  const Dims& shape = linear.weights.shape();
  return linear.output_first ? shape[1] * linear.groups : shape[0];
}

// The node `like` with other weights and a bias; null weights of MatMul with a bias make it a Gemm.
bool ReplaceLinear(const Match& m, Patch& p, const Linear& linear, Tensor weights,
                   std::span<const double> bias) {
  const Node node = m.node("linear");
  const std::string weights_name = m.graph().value(node.inputs[1]).name;
  const DType dtype = linear.weights.dtype();
  const bool has_bias =
      linear.bias || std::any_of(bias.begin(), bias.end(), [](double value) { return value != 0; });
  NodeSpec spec = p.Copy(m["linear"]);
  if (weights.data() != linear.weights.data()) {
    spec = spec.WithInput(1, p.Constant(weights_name, std::move(weights)));
  }
  if (has_bias) {
    if (node.op == "MatMul") {
      const graph::TensorType& input = m.graph().value(node.inputs[0]).type;
      if (!input.has_rank() || input.rank() != 2) return false;
      spec = spec.Named("Gemm");
    }
    spec = spec.WithInput(
        2, p.Constant(weights_name + ".bias", FromDoubles(dtype, {linear.channels}, bias)));
  }
  return p.Replace(m["y"], spec);
}

// s·L(x) + t
bool FoldBehind(const Match& m, Patch& p) {
  const auto linear = LinearOf(m.graph(), m.node("linear"), m.type("linear"));
  if (!linear) return false;
  const bool norm = m.node("y").op == "BatchNormalization";
  // What a damaged file mixes stays, for Prepare to refuse.
  if (!norm && m.constant("c").dtype() != linear->weights.dtype()) return false;
  if (norm && linear->output_axis != 1) return false;
  const auto affine =
      norm ? OfBatchNorm(m) : OfArithmetic(m, linear->rank, linear->output_axis, linear->channels);
  if (!affine || std::ssize(affine->scale) != linear->channels) return false;
  const bool scales = std::any_of(affine->scale.begin(), affine->scale.end(),
                                  [](double scale) { return scale != 1; });
  Tensor weights = linear->weights;
  if (scales) {
    weights = MapWeights(
        *linear, [&](double weight, size_t out, size_t) { return weight * affine->scale[out]; });
  }
  std::vector<double> bias = affine->shift;
  if (linear->bias) {
    const std::vector<double> old = Doubles(*linear->bias);
    for (size_t c = 0; c < bias.size(); ++c) bias[c] += old[c] * affine->scale[c];
  }
  return ReplaceLinear(m, p, *linear, std::move(weights), bias);
}

bool HasPadding(const Node& node) {
  const graph::Ints pads = node.attrs.ints("pads");
  const std::string automatic = node.attrs.s("auto_pad", "NOTSET");
  return std::any_of(pads.begin(), pads.end(), [](int64_t pad) { return pad != 0; }) ||
         (automatic != "NOTSET" && automatic != "VALID");
}

// L(s·x + t)
bool FoldBefore(const Match& m, Patch& p) {
  const Node& node = m.node("linear");
  const auto linear = LinearOf(m.graph(), node, m.type("linear"));
  if (!linear || node.op == "ConvTranspose" || node.attrs.i("transA", 0) != 0) return false;
  Match norm(m.graph());  // of the norm before, under the names that OfBatchNorm reads
  static const Pattern pattern = Op({"BatchNormalization"}, "y")(
      Any("x"), Const("scale"), Const("bias"), Const("mean"), Const("variance"));
  if (!pattern.Matches(m["norm"], norm)) return false;
  const auto affine = OfBatchNorm(norm);
  if (!affine || std::ssize(affine->scale) != InputChannels(*linear)) return false;
  const bool shifts = std::any_of(affine->shift.begin(), affine->shift.end(),
                                  [](double shift) { return shift != 0; });
  if (shifts && HasPadding(node)) return false;
  std::vector<double> bias(static_cast<size_t>(linear->channels));
  if (linear->bias) bias = Doubles(*linear->bias);
  const Tensor weights = MapWeights(*linear, [&](double weight, size_t out, size_t in) {
    bias[out] += weight * affine->shift[in];
    return weight * affine->scale[in];
  });
  const std::string name = m.graph().value(node.inputs[1]).name;
  const DType dtype = linear->weights.dtype();
  const bool matmul = node.op == "MatMul";
  if (matmul && m.type("linear").rank() != 2) return false;
  return p.Replace(
      m["linear"],
      p.Copy(m["linear"])
          .Named(matmul ? "Gemm" : node.op)
          .WithInput(0, norm["x"])
          .WithInput(1, p.Constant(name, weights))
          .WithInput(2, p.Constant(name + ".bias", FromDoubles(dtype, {linear->channels}, bias))));
}

std::span<const Rule> Rules() {
  static const Pattern linear = Op({"Conv", "ConvTranspose", "Gemm", "MatMul"}, "linear");
  static const Rule rules[] = {
      {"fold-batch-norm",
       Op({"BatchNormalization"}, "y")(linear.UsedOnce(), Const("scale"), Const("bias"),
                                       Const("mean"), Const("variance")),
       FoldBehind},
      {"fold-channel-arithmetic",
       Op({"Mul", "Add", "Sub", "Div"}, "y")(linear.UsedOnce(), Const("c")), FoldBehind},
      {"fold-batch-norm-before",
       Op({"Conv", "Gemm", "MatMul"}, "linear")(Op({"BatchNormalization"}, "norm").UsedOnce(),
                                                Const("w"), Any("b").Optional()),
       FoldBefore},
  };
  return rules;
}

}  // namespace

Status FoldBatchNorm(PassContext& context) { return Rewrite(context, Rules()); }

}  // namespace pare::passes
