// After channels or blocks have gone: new weights for the layers that summed over the channels, or
// read what the blocks made, by least squares against what the whole model's layers gave on
// unlabelled samples (He et al. 2017, "Channel Pruning for Accelerating Very Deep Neural Networks",
// eq. 3). Layer after layer in the order of the graph, so that each is fitted to inputs as the cuts
// before it, and their repair, left them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "compress/prune/calibration.h"
#include "compress/prune/remove.h"

namespace pare::compress {

struct RefittedLayer {
  std::string name;  // of its output
  // Of that output before and after, against the whole model's: Σ (y' − y)² / Σ (y − mean)².
  double error_before = 0, error_after = 0;
};

struct Reconstruction {
  std::vector<RefittedLayer> layers;
  std::vector<std::string> skipped;  // that sum over channels in a form which can't be fitted
};

// `channels` is of `whole` or of a part of it with the same node ids; `pruned` is that part without
// what `kept` leaves out, and perhaps without some blocks. Its weights and biases are replaced.
Result<Reconstruction> Reconstruct(const graph::Graph& whole, const Channels& channels,
                                   std::span<const KeptUnits> kept,
                                   const CalibrationBatches& calibration,
                                   const model::Context& context, Progress& progress,
                                   graph::Graph& pruned);

}  // namespace pare::compress
