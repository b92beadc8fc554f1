// First-order importance (Molchanov et al. 2019, "Importance Estimation for Neural Network
// Pruning", eq. 8): (Σ g·w)² over what goes with a unit, g the gradient of a loss. The loss of a
// model against its own answers has no gradient there, so the gradients are those of the outputs
// themselves: Σ over samples and outputs of (Σ ∂y/∂w · w)², the squared change of the outputs to
// first order, over Σ y². The w are the weights that sum over the unit's channels, since removal is
// exact where these read zeros.
#pragma once

#include <span>
#include <vector>

#include "compress/prune/calibration.h"
#include "compress/prune/groups.h"

namespace pare::compress {

// By group (each has a layer that sums over it) and unit; the seed is of the outputs' signs
// (signed_outputs.h).
Result<std::vector<std::vector<double>>> TaylorImportance(
    const graph::Graph& model, const Channels& channels, std::span<const int> groups,
    const CalibrationBatches& samples, uint64_t seed, const model::Context& context,
    Progress& progress);

}  // namespace pare::compress
