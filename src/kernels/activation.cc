#include "kernels/activation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pare::kernels {

float Activate(const Activation& activation, float x) noexcept {
  const double d = x;
  switch (activation.kind) {
    case Activation::Kind::kNone:
      return x;
    case Activation::Kind::kClamp:  // in this order NaN stays NaN
      return std::min(std::max(x, activation.lo), activation.hi);
    case Activation::Kind::kSigmoid:
      return static_cast<float>(1.0 / (1.0 + std::exp(-d)));
    case Activation::Kind::kTanh:
      return static_cast<float>(std::tanh(d));
    case Activation::Kind::kHardSwish:
      return x * std::min(std::max(x * (1.0f / 6.0f) + 0.5f, 0.0f), 1.0f);
    case Activation::Kind::kHardSigmoid:
      return std::min(std::max(activation.alpha * x + activation.beta, 0.0f), 1.0f);
    case Activation::Kind::kSilu:
      return static_cast<float>(d / (1.0 + std::exp(-d)));
    case Activation::Kind::kGelu:
      return static_cast<float>(0.5 * d * (1.0 + std::erf(d * std::numbers::sqrt2 / 2.0)));
    case Activation::Kind::kGeluTanh: {
      const double inner = std::sqrt(2.0 / std::numbers::pi) * (d + 0.044715 * d * d * d);
      return static_cast<float>(0.5 * d * (1.0 + std::tanh(inner)));
    }
    case Activation::Kind::kLeakyRelu:
      return x < 0.0f ? activation.alpha * x : x;
  }
  return x;
}

}  // namespace pare::kernels
