// What follows a product joins it: y = act(x·w + bias + residual) in one node.
#include "passes/fuse.h"

#include <cmath>
#include <limits>

#include "ops/dequantized.h"
#include "passes/integer_lowering.h"
#include "passes/passes.h"

namespace pare::passes {

using graph::Dim;
using graph::Graph;
using graph::Node;
using graph::TensorType;
using graph::ValueId;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool HasActivation(const Node& node) { return !node.attrs.s("activation").empty(); }

// MatMul has no bias, residual or activation; ours has.
NodeSpec Extended(NodeSpec spec) { return spec.op == "MatMul" ? spec.Named("pare.MatMul") : spec; }

bool FuseBiasRule(const Match& m, Patch& p) {
  const TensorType& y = m.type("product");
  const TensorType& bias = m.type("bias");
  if (y.dtype != DType::kF32 || !y.has_rank() || y.rank() == 0 || HasActivation(m.node("product")))
    return false;
  const Dim width = y.shape->back();
  if (!bias.has_rank() || bias.rank() == 0 || !width.known() || !bias.is_static()) return false;
  const Dims dims = bias.dims();
  if (dims.back() != width.size() || *CountOf(dims) != width.size() || bias.rank() > y.rank()) {
    return false;
  }
  ValueId vector = m["bias"];
  // What is computed is no bias of integers, and would keep the product float.
  if (MayBeInteger(m.graph(), m.node("product")) &&
      !MayBeIntegerBias(m.graph(), vector, width.size())) {
    return false;
  }
  if (bias.rank() > 1) {
    if (!m.graph().is_constant(vector)) return false;
    vector = p.Constant(m.value("bias").name, m.constant("bias").Reshaped({width.size()}));
  }
  return p.Replace(m["y"], Extended(p.Copy(m["product"])).WithInput(2, vector));
}

bool FuseResidualRule(const Match& m, Patch& p) {
  const Node& product = m.node("product");
  if (HasActivation(product) || HasActivation(m.node("y"))) return false;
  const bool taken = product.inputs.size() > 3 && product.inputs[3] != ValueId::kNone;
  if (MayBeInteger(m.graph(), product) && !ops::DequantizerOf(m.graph(), m["residual"]))
    return false;
  const TensorType& type = m.type("product");
  if (taken || type.dtype != DType::kF32 || !graph::SameKnownType(type, m.type("residual")))
    return false;
  return p.Replace(m["y"], Extended(p.Copy(m["product"])).WithInput(3, m["residual"]));
}

struct ActivationSpec {
  std::string kind;
  std::optional<float> lo, hi;  // left out where the default serves
};

// The bounds of a Clip; nullopt where they are computed.
std::optional<ActivationSpec> OfClip(const Graph& graph, const Node& node) {
  ActivationSpec clamp{"clamp", -kInfinity, kInfinity};
  for (size_t i = 1; i < node.inputs.size() && i < 3; ++i) {
    if (node.inputs[i] == ValueId::kNone) continue;
    const std::optional<float> bound = ScalarOf(graph, node.inputs[i]);
    if (!bound || std::isnan(*bound)) return std::nullopt;
    (i == 1 ? clamp.lo : clamp.hi) = bound;
  }
  return clamp;
}

std::optional<ActivationSpec> ActivationOf(const Graph& graph, const Node& node) {
  const graph::Attrs& attrs = node.attrs;
  if (node.op == "Relu") return ActivationSpec{"clamp", 0.0f, kInfinity};
  if (node.op == "Clip") return OfClip(graph, node);
  if (node.op == "LeakyRelu") return ActivationSpec{"leakyrelu", attrs.f("alpha", 0.01f), {}};
  if (node.op == "HardSigmoid") {
    return ActivationSpec{"hardsigmoid", attrs.f("alpha", 0.2f), attrs.f("beta", 0.5f)};
  }
  if (node.op == "Gelu") {
    return ActivationSpec{attrs.s("approximate", "none") == "tanh" ? "gelu_tanh" : "gelu", {}, {}};
  }
  if (node.op == "Sigmoid") return ActivationSpec{"sigmoid", {}, {}};
  if (node.op == "Tanh") return ActivationSpec{"tanh", {}, {}};
  if (node.op == "HardSwish") return ActivationSpec{"hardswish", {}, {}};
  return ActivationSpec{"silu", {}, {}};
}

}  // namespace

bool FuseActivationRule(const Match& m, Patch& p) {
  const Node& producer = m.node("producer");
  if (m.type("producer").dtype != DType::kF32) return false;
  auto activation = ActivationOf(m.graph(), m.node("act"));
  if (!activation) return false;
  if (HasActivation(producer)) {  // two clamps are one
    if (producer.attrs.s("activation") != "clamp" || activation->kind != "clamp") return false;
    const float lo = producer.attrs.f("activation_lo", -kInfinity);
    const float hi = producer.attrs.f("activation_hi", kInfinity);
    // clamp(clamp(x, lo, hi), lo', hi'): Clip is min(max(x, lo), hi), so hi' wins over lo'.
    const float new_lo = *activation->lo, new_hi = *activation->hi;
    activation->lo = std::min(std::max(lo, new_lo), new_hi);
    activation->hi = std::min(std::max(hi, new_lo), new_hi);
  }
  NodeSpec spec = Extended(p.Copy(m["producer"])).With("activation", activation->kind);
  if (activation->lo) spec = spec.With("activation_lo", *activation->lo);
  if (activation->hi) spec = spec.With("activation_hi", *activation->hi);
  return p.Replace(m["act"], spec);
}

Status FuseBias(PassContext& context) {
  static const Rule rules[] = {
      {"fuse-bias",
       Op({"Add"}, "y")(Op({"MatMul"}, "product")(Any("a"), Any("b")).UsedOnce(), Any("bias")),
       FuseBiasRule},
  };
  return Rewrite(context, rules);
}

Status FuseResidual(PassContext& context) {
  static const Rule rules[] = {
      {"fuse-residual",
       Op({"Add"}, "y")(
           Op({"Conv", "ConvTranspose", "Gemm", "MatMul", "pare.MatMul"}, "product").UsedOnce(),
           Any("residual")),
       FuseResidualRule},
  };
  return Rewrite(context, rules);
}

Status FuseActivation(PassContext& context) {
  const auto behind = [](std::initializer_list<std::string_view> activations) {
    return Op(activations, "act")(
        Op({"Conv", "ConvTranspose", "Gemm", "MatMul", "pare.MatMul", "Add", "Sub", "Mul", "Div"},
           "producer")
            .UsedOnce(),
        Any("min").Optional(), Any("max").Optional());
  };
  static const Rule rules[] = {
      {"fuse-clamp", behind({"Relu", "Clip"}), FuseActivationRule},
      {"fuse-activation",
       behind({"Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "LeakyRelu", "Gelu", "pare.Silu"}),
       FuseActivationRule},
  };
  return Rewrite(context, rules);
}

}  // namespace pare::passes
