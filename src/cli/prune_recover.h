// What is left of a model learns to answer as it did.
#pragma once

#include "cli/prune_run.h"

namespace pare::cli {

// Trains `cut` on all samples but those that verify, by the model's own answers, as `training`
// (the run's options, or those of a step) says.
Result<TrainingReport> Recover(const PruneRun& run, const graph::Graph& cut,
                               const TrainingOptions& training);

}  // namespace pare::cli
