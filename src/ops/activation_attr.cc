#include "ops/activation_attr.h"

namespace pare::ops {

using kernels::Activation;

Result<Activation> ReadActivation(const graph::Attrs& attrs) {
  static constexpr std::pair<std::string_view, Activation::Kind> kNames[] = {
      {"", Activation::Kind::kNone},
      {"clamp", Activation::Kind::kClamp},
      {"sigmoid", Activation::Kind::kSigmoid},
      {"tanh", Activation::Kind::kTanh},
      {"hardswish", Activation::Kind::kHardSwish},
      {"hardsigmoid", Activation::Kind::kHardSigmoid},
      {"silu", Activation::Kind::kSilu},
      {"gelu", Activation::Kind::kGelu},
      {"gelu_tanh", Activation::Kind::kGeluTanh},
      {"leakyrelu", Activation::Kind::kLeakyRelu},
  };
  const std::string name = attrs.s("activation");
  for (const auto& [known, kind] : kNames) {
    if (known != name) continue;
    Activation activation{.kind = kind};
    activation.lo = attrs.f("activation_lo", activation.lo);
    activation.hi = attrs.f("activation_hi", activation.hi);
    const bool leaky = kind == Activation::Kind::kLeakyRelu;
    activation.alpha = attrs.f("activation_lo", leaky ? 0.01f : 0.2f);
    activation.beta = attrs.f("activation_hi", 0.5f);
    return activation;
  }
  return Invalid(Text("activation is \"", name, "\""));
}

}  // namespace pare::ops
