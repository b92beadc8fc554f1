// Steps that copy boxes of elements from inputs to outputs.
#pragma once

#include "ops/nest.h"
#include "ops/prepare.h"

namespace pare::ops {

// Loops over a box: operand 0 is where elements come from, operand 1 where they go (steps in
// elements). Offsets are the places of the first element in its tensor.
struct MovePart {
  Nest nest;
  int input = 0, output = 0;
  int64_t from = 0, to = 0;
};

// Adds one step that does all parts; `element_bytes` of 1, 2, 4 or 8. An output may take its
// input's memory where both have the same layout.
Status AddMoveStep(PrepareContext& context, int64_t element_bytes, std::vector<MovePart> parts);

// The loops over `box` between tensors with these steps.
Nest MoveNest(const Dims& box, const Dims& from_steps, const Dims& to_steps);

// Output 0 is input 0, seen as `from`, with its axes in another order. An alias where nothing
// moves.
Status PreparePermutation(PrepareContext& context, const Dims& from, const std::vector<int>& order);

}  // namespace pare::ops
