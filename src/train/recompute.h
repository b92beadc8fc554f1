// Less memory for a step: activations are computed anew in the backward pass instead of kept.
//
// Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016 (§4: dropping the results of
// cheap operators; cutting the forward pass into segments of which only the ends are kept).
#pragma once

#include "graph/graph.h"

namespace pare::train {

// From the fastest to the leanest: 0 keeps all, 1 drops what is cheap to compute, n ≥ 2 cuts the
// forward pass into n segments.
inline constexpr int kRecomputations[] = {0, 1, 2, 4, 8, 16, 32};

// The step with copies of forward nodes for the gradients to read; `loss` is what the forward pass
// ends in. The same results, to the bit. All types are static.
graph::Graph Recompute(const graph::Graph& step, graph::ValueId loss, int segments);

}  // namespace pare::train
