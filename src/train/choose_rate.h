// A learning rate by trial: no fixed one serves both weights that are all but right already and
// such that have everything to learn, inputs of 0 to 1 and of 0 to 255.
#pragma once

#include <functional>

#include "base/progress.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/schedule.h"

namespace pare::train {

using Score = std::function<Result<Scored>(const graph::Graph& model)>;

// A run that has not begun.
struct TrialRun {
  Program& program;
  Batches& batches;
  int64_t parts = 1;      // of a step
  Schedule schedule;      // its rate is the first to try
  const Score& score;     // where empty, trials are compared by their training losses
  const Scored& start;    // of the weights as they are, where there is a score
  std::string_view name;  // of the score
  Progress& progress;
};

// Steps of a trial: a twentieth of the run, 5 to 50; 0 where the run has fewer than ten.
int64_t TrialSteps(int64_t run_steps);

// Short runs from the same start on the same batches, with the whole schedule in TrialSteps: at the
// schedule's rate, then at about a third of the one before each time, as long as that leaves a
// lower loss or none has been as low as the start's, down to a thousandth; where no lower one is
// better three times as high ones, up to the thirtyfold. The rate is the one of the lowest loss; of
// losses that differ by less than a twentieth the one nearest to the schedule's rate, if it isn't
// the only one above the start's. A note tells it. A loss that is not finite ends its trial alone.
// The program's states are then as they were. The schedule's rate itself where there are too few
// steps to try.
Result<double> ChooseRate(const TrialRun& run);

}  // namespace pare::train
