// Less memory for a step: activations are computed anew in the backward pass instead of kept.
//
// Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016 (§4: dropping the results of
// cheap operators; cutting the forward pass into segments of which only the ends are kept).
#pragma once

#include "graph/graph.h"

namespace pare::train {

struct Recomputation {
  enum class Drop : uint8_t {
    kNothing,
    // What is no product and is made, in two nodes at most, of values that gradients read anyway:
    // roundings, masks, most activations and normalisations.
    kFromKept,
    kNoProducts,  // all that is no product
    kWithin,      // all but what leaves one of `segments`
  } drop = Drop::kNothing;
  int segments = 1;
};
// From the fastest to the leanest.
inline constexpr Recomputation kRecomputations[] = {
    {Recomputation::Drop::kNothing},    {Recomputation::Drop::kFromKept},
    {Recomputation::Drop::kNoProducts}, {Recomputation::Drop::kWithin, 2},
    {Recomputation::Drop::kWithin, 4},  {Recomputation::Drop::kWithin, 8},
    {Recomputation::Drop::kWithin, 16}, {Recomputation::Drop::kWithin, 32}};

// The step with copies of forward nodes for the gradients to read; `loss` is what the forward pass
// ends in. The same results, to the bit; the step as it is where nothing is dropped. All types are
// static.
graph::Graph Recompute(const graph::Graph& step, graph::ValueId loss, Recomputation how);

}  // namespace pare::train
