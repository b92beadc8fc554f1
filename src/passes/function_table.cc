#include "passes/function_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "passes/exact_math.h"
#include "passes/pattern.h"

namespace pare::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;
using Function = std::function<double(double)>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double Gelu(double x) { return 0.5 * x * (1 + ExactErf(x / std::numbers::sqrt2)); }
double TanhGelu(double x) {
  const double scale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  return 0.5 * x * (1 + ExactTanh(scale * (x + 0.044715 * x * x * x)));
}
double HardSigmoid(double x, double alpha, double beta) {
  return std::clamp(alpha * x + beta, 0.0, 1.0);
}
double Softplus(double x) { return x > 30 ? x : ExactLog(1 + ExactExp(x)); }
double Swish(double x, double alpha) { return x * ExactSigmoid(alpha * x); }
double Asin(double x) { return ExactAtan(x / std::sqrt((1 - x) * (1 + x))); }
double Acosh(double x) { return ExactLog(x + std::sqrt(x * x - 1)); }
double Atanh(double x) { return ExactLog((1 + x) / (1 - x)) / 2; }
double Sinh(double x) { return (ExactExp(x) - ExactExp(-x)) / 2; }
double Cosh(double x) { return (ExactExp(x) + ExactExp(-x)) / 2; }
double Asinh(double x) { return std::copysign(ExactLog(std::abs(x) + std::sqrt(x * x + 1)), x); }
double RoundToEven(double x) {
  const double below = std::floor(x), rest = x - below;
  const bool even = std::floor(below / 2) * 2 == below;
  return rest < 0.5 || (rest == 0.5 && even) ? below : below + 1;
}

// The functions without parameters.
struct Named {
  std::string_view op;
  double (*f)(double);
};
constexpr Named kFunctions[] = {
    {"Relu", [](double x) { return std::max(x, 0.0); }},
    {"Sigmoid", ExactSigmoid},
    {"Tanh", ExactTanh},
    {"HardSwish", [](double x) { return x * HardSigmoid(x, 1.0 / 6, 0.5); }},
    {"pare.Silu", [](double x) { return Swish(x, 1); }},
    {"Mish", [](double x) { return x * ExactTanh(Softplus(x)); }},
    {"Softplus", Softplus},
    {"Softsign", [](double x) { return x / (1 + std::abs(x)); }},
    {"Erf", ExactErf},
    {"Exp", ExactExp},
    {"Log", ExactLog},
    {"Sqrt", [](double x) { return std::sqrt(x); }},
    {"Abs", [](double x) { return std::abs(x); }},
    {"Neg", [](double x) { return -x; }},
    {"Reciprocal", [](double x) { return 1 / x; }},
    {"Floor", [](double x) { return std::floor(x); }},
    {"Ceil", [](double x) { return std::ceil(x); }},
    {"Round", RoundToEven},
    {"Sign", [](double x) { return x > 0   ? 1.0
                                   : x < 0 ? -1.0
                                           : 0.0; }},
    {"Identity", [](double x) { return x; }},
    {"Sin", ExactSin},
    {"Cos", ExactCos},
    {"Tan", [](double x) { return ExactSin(x) / ExactCos(x); }},
    {"Asin", Asin},
    {"Acos", [](double x) { return std::numbers::pi / 2 - Asin(x); }},
    {"Atan", ExactAtan},
    {"Sinh", Sinh},
    {"Cosh", Cosh},
    {"Asinh", Asinh},
    {"Acosh", Acosh},
    {"Atanh", Atanh},
};

std::optional<Function> WithAttributes(const Node& node) {
  const graph::Attrs& attrs = node.attrs;
  const double alpha = attrs.f("alpha", 1.0f);
  if (node.op == "LeakyRelu") {
    return [a = attrs.f("alpha", 0.01f)](double x) { return x < 0 ? a * x : x; };
  }
  if (node.op == "HardSigmoid") {
    return [a = attrs.f("alpha", 0.2f), b = attrs.f("beta", 0.5f)](double x) {
      return HardSigmoid(x, a, b);
    };
  }
  if (node.op == "Elu") {
    return [alpha](double x) { return x < 0 ? alpha * (ExactExp(x) - 1) : x; };
  }
  if (node.op == "Celu") {
    return [alpha](double x) { return x < 0 ? alpha * (ExactExp(x / alpha) - 1) : x; };
  }
  if (node.op == "Selu") {
    const double a = attrs.f("alpha", 1.67326319f), gamma = attrs.f("gamma", 1.05070102f);
    return [a, gamma](double x) { return gamma * (x < 0 ? a * (ExactExp(x) - 1) : x); };
  }
  if (node.op == "Swish") return [alpha](double x) { return Swish(x, alpha); };
  if (node.op == "Shrink") {
    return [bias = attrs.f("bias", 0.0f), lambda = attrs.f("lambd", 0.5f)](double x) {
      return x < -lambda ? x + bias : x > lambda ? x - bias : 0;
    };
  }
  if (node.op == "ThresholdedRelu") {
    return [alpha](double x) { return x > alpha ? x : 0; };
  }
  if (node.op == "Gelu") return attrs.s("approximate", "none") == "tanh" ? TanhGelu : Gelu;
  return std::nullopt;
}

std::optional<Function> OfClip(const Graph& graph, const Node& node) {
  double bounds[] = {-kInfinity, kInfinity};
  for (size_t i = 1; i < node.inputs.size() && i < 3; ++i) {
    if (node.inputs[i] == ValueId::kNone) continue;
    const auto bound = ScalarOf(graph, node.inputs[i]);
    if (!bound) return std::nullopt;
    bounds[i - 1] = *bound;
  }
  return [lo = bounds[0], hi = bounds[1]](double x) { return std::min(std::max(x, lo), hi); };
}

// Arithmetic with a constant c on either side.
std::optional<Function> WithConstant(std::string_view op, double c, bool constant_first) {
  if (op == "Add") return [c](double x) { return x + c; };
  if (op == "Mul") return [c](double x) { return x * c; };
  if (op == "Min") return [c](double x) { return std::min(x, c); };
  if (op == "Max") return [c](double x) { return std::max(x, c); };
  if (op == "Sub" && !constant_first) return [c](double x) { return x - c; };
  if (op == "Sub") return [c](double x) { return c - x; };
  if (op == "Div" && !constant_first) return [c](double x) { return x / c; };
  if (op == "Div") return [c](double x) { return c / x; };
  if (op == "Pow" && !constant_first) return [c](double x) { return ExactPow(x, c); };
  if (op == "PRelu" && !constant_first) return [c](double x) { return x < 0 ? c * x : x; };
  return std::nullopt;
}

std::optional<UnaryFunction> WithoutActivation(const Graph& graph, const Node& node) {
  if (node.inputs.empty() || node.outputs.size() != 1) return std::nullopt;
  for (const Named& named : kFunctions) {
    if (named.op == node.op) return UnaryFunction{node.inputs[0], named.f};
  }
  if (node.op == "Clip") {
    auto clip = OfClip(graph, node);
    return clip ? std::optional(UnaryFunction{node.inputs[0], *clip}) : std::nullopt;
  }
  if (auto f = WithAttributes(node)) return UnaryFunction{node.inputs[0], *f};
  if (node.inputs.size() != 2) return std::nullopt;
  for (size_t side : {1u, 0u}) {
    const auto c = ScalarOf(graph, node.inputs[side]);
    if (!c) continue;
    auto f = WithConstant(node.op, *c, side == 0);
    if (f) return UnaryFunction{node.inputs[1 - side], *f};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Function> ActivationFunctionOf(const Node& node) {
  const std::string kind = node.attrs.s("activation");
  const auto parameter = [&](std::string_view name, double otherwise) -> double {
    return node.attrs.f(name, static_cast<float>(otherwise));
  };
  if (kind.empty()) return [](double x) { return x; };
  if (kind == "clamp") {
    return [lo = parameter("activation_lo", -kInfinity),
            hi = parameter("activation_hi", kInfinity)](double x) { return std::clamp(x, lo, hi); };
  }
  if (kind == "leakyrelu") {
    return [a = parameter("activation_lo", 0.01)](double x) { return x < 0 ? a * x : x; };
  }
  if (kind == "hardsigmoid") {
    return [a = parameter("activation_lo", 0.2), b = parameter("activation_hi", 0.5)](double x) {
      return HardSigmoid(x, a, b);
    };
  }
  if (kind == "gelu") return Gelu;
  if (kind == "gelu_tanh") return TanhGelu;
  for (const Named& named : kFunctions) {
    const bool same = (kind == "sigmoid" && named.op == "Sigmoid") ||
                      (kind == "tanh" && named.op == "Tanh") ||
                      (kind == "hardswish" && named.op == "HardSwish") ||
                      (kind == "silu" && named.op == "pare.Silu");
    if (same) return named.f;
  }
  return std::nullopt;
}

std::optional<UnaryFunction> UnaryFunctionOf(const Graph& graph, const Node& node) {
  auto function = WithoutActivation(graph, node);
  if (!function || node.attrs.s("activation").empty()) return function;
  auto activation = ActivationFunctionOf(node);
  if (!activation) return std::nullopt;
  function->f = [inner = function->f, outer = *activation](double x) { return outer(inner(x)); };
  return function;
}

}  // namespace pare::passes
