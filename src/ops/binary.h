// Steps that combine two operands by a function, with NumPy's broadcasting.
#pragma once

#include "kernels/binary/binary.h"
#include "ops/prepare.h"

namespace pare::ops {

// Where a step finds an operand.
struct Source {
  enum class Kind : uint8_t { kInput, kOutput, kTemp, kConstant };
  Kind kind = Kind::kInput;
  int index = 0;
  Dims shape;  // as it broadcasts to output 0
};

// Adds the step output 0 = activation(function(a, b)) over operands of `dtype`; `constant` holds
// one element for Kind::kConstant. An error where the function has no meaning for the type.
Status AddBinaryStep(PrepareContext& context, kernels::BinaryFunction function, DType dtype,
                     Source a, Source b, const kernels::Activation& activation = {},
                     uint64_t constant = 0);

// As above, of the inputs 0 and 1 of the node, which may each give its memory to the output.
Status AddBinaryStep(PrepareContext& context, kernels::BinaryFunction function,
                     const kernels::Activation& activation = {});

// Infers the broadcast shape of all inputs, of the first one's type or `dtype`.
Status InferBroadcast(InferContext& context, DType dtype = DType::kNone);

}  // namespace pare::ops
