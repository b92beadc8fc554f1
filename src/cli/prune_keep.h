// Cuts that lie beside the checkpoints of their recovery, for --resume: times that are measured
// again, and samples that are drawn otherwise, would lead to other ones.
#pragma once

#include <string>

#include "base/function_ref.h"
#include "cli/prune_cut.h"

namespace pare::cli {

// The options of training of one of a run's steps (a round, a trial): it writes no model, and its
// checkpoint lies beside the run's, under the step's name.
TrainingOptions StepTraining(const TrainingOptions& run, const std::string& step);
std::string RoundName(int64_t round);

// Where a cut lies, "" where no checkpoint is kept.
std::string CutFile(const train::TrainOptions& train);

// Fails (kUsage) where what an earlier run left is in the way. `files` learn what will be written.
Status CheckKept(const PruneCommandOptions& options, CommandFiles& files);

// The cut beside the checkpoint where --resume finds it, else what `make` makes, which is kept
// there.
Result<CutModel> KeepCut(const PruneRun& run, const train::TrainOptions& train,
                         FunctionRef<Result<CutModel>()> make);

}  // namespace pare::cli
