// Arithmetic with sizes, symbols and unknown numbers: what exported models do with shapes.
#pragma once

#include "kernels/binary/binary.h"
#include "ops/node_view.h"

namespace pare::ops {

// The function of two dimensions; unknown where it is not surely a size or a symbol.
graph::Dim DimArithmetic(kernels::BinaryFunction function, graph::Dim a, graph::Dim b);

// Notes what is known of output 0 of a node with two integer operands of rank ≤ 1.
void InferDimArithmetic(InferContext& context, kernels::BinaryFunction function);

// dims[i], where a single element stands for all; unknown where there are none.
graph::Dim DimAt(const graph::Shape* dims, size_t i);

}  // namespace pare::ops
