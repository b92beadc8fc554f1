// Reverse-mode automatic differentiation as a rewrite: the gradient of a scalar becomes nodes of
// the same graph, which then runs on the same passes, memory plan and kernels as inference.
//
// Griewank & Walther, "Evaluating Derivatives", 2nd ed. 2008, §3.2 (reverse mode): nodes are
// visited in the opposite order of computation; each hands the adjoints of its outputs on to its
// inputs, where those of several readers add up.
#pragma once

#include <span>

#include "ops/emit.h"

namespace pare::train {

// ∂loss/∂w for each w of `wrt`, in that order, of its type; kNone where the loss does not depend on
// it. `loss` has one element; all types of the graph are static. Errors name the node that has no
// gradient, and why.
Result<std::vector<graph::ValueId>> Differentiate(ops::Emitter& emit, graph::ValueId loss,
                                                  std::span<const graph::ValueId> wrt);

}  // namespace pare::train
