// Sums over pixels of the products of two images' channels, with a row of family convgrad:
// gradients of convolutions by their weights, and products aᵀ · b.
#pragma once

#include "kernels/conv/conv.h"
#include "ops/prepare.h"

namespace pare::ops {

// Output 0 is dw; x and dy are inputs of the node.
void AddWeightGradSteps(PrepareContext& context, const kernels::ConvShape& shape, int x, int dy);

}  // namespace pare::ops
