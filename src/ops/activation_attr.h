// The activation that a rewrite has fused into an operator: attribute `activation` ("" | "clamp" |
// "sigmoid" | "tanh" | "hardswish" | "hardsigmoid" | "silu" | "gelu" | "gelu_tanh" | "leakyrelu")
// with `activation_lo` and `activation_hi`: the bounds of clamp (infinities if absent), alpha and
// beta of hardsigmoid (0.2 and 0.5), alpha of leakyrelu (0.01).
#pragma once

#include "graph/attr.h"
#include "kernels/kernel.h"

namespace pare::ops {

Result<kernels::Activation> ReadActivation(const graph::Attrs& attrs);

}  // namespace pare::ops
