// A step that applies one function to every element.
#pragma once

#include "kernels/unary/unary.h"
#include "ops/prepare.h"

namespace pare::ops {

// Adds the step y = function(x); y may take x's memory. An error where there is none for the type.
Status AddUnaryStep(PrepareContext& context, kernels::UnaryFunction function, float a, float b);

}  // namespace pare::ops
