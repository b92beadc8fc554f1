// What is left of a model learns to answer as it did.
#pragma once

#include "cli/prune_run.h"

namespace pare::cli {

// Trains `cut` on all samples but those that verify, by the model's own answers, and writes it
// where `training` (the run's options, or a part of them) names a file. The report refers to them.
Result<TrainingReport> Recover(const PruneRun& run, const graph::Graph& cut,
                               const TrainingOptions& training);

}  // namespace pare::cli
