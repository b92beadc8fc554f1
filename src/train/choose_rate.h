// A learning rate by trial: no fixed one serves both weights that are all but right already and
// such that have everything to learn, inputs of 0 to 1 and of 0 to 255.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "base/function_ref.h"
#include "base/progress.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/schedule.h"

namespace pare::train {

using Score = std::function<Result<Scored>(const graph::Graph& model)>;

// A run that has not begun.
struct TrialRun {
  Program& program;
  std::span<const Tensor> states;  // the program's, as they are
  Batches& batches;
  int64_t parts = 1;      // of a step
  Schedule schedule;      // its rate is the usual one
  const Score& score;     // where empty, trials are compared by their training losses
  const Scored& start;    // of the weights as they are, where there is a score
  std::string_view name;  // of the score
  // Those that an interrupted run made are not made again; each new one joins them, and `keep` is
  // called, with the program's states as they were.
  std::vector<Trial>& trials;
  FunctionRef<Status()> keep;
  Progress& progress;
};

// Steps of a trial: a twentieth of the run, 5 to 50; 0 where the run has fewer than ten.
int64_t TrialSteps(int64_t run_steps);
// A trial of fewer steps doesn't tell whether a run survives a rate above the usual one.
inline constexpr int64_t kStepsForHigherRates = 10;

// Short runs from the same start on the same batches, with the whole schedule in TrialSteps: at the
// schedule's rate, then at about a third of the one before each time, as long as that leaves a
// lower loss or none has done well, down to a thousandth. Where no lower one is better, and the
// trials have kStepsForHigherRates, at three times as high ones, up to the thousandfold, as long as
// that leaves a lower loss.
//
// A trial does well where its loss is no higher than the start's, and its score, by more than
// chance explains (Scored), no lower than the start's or that of a lower rate. Of such the rate of
// the lowest loss is taken; of losses that differ by less than a twentieth the one nearest to the
// schedule's rate. Short runs favour high rates: above the schedule's, a rate is taken only where
// the next higher one did well, too (a step back from the edge, as Smith, "A disciplined approach
// to neural network hyper-parameters", 2018, takes one). Where none does well, it is the one of the
// lowest loss among those not above the schedule's whose score no lower rate exceeds. A note tells
// it. A loss that is not finite ends its trial alone.
//
// The program's states are then as they were. The schedule's rate itself where there are too few
// steps to try.
Result<double> ChooseRate(const TrialRun& run);

// With what a run begins anew (Train) that became not finite at a rate that trials chose around the
// usual one: a tenth of it. Nothing where that is less than a hundredth of the usual one, so that
// it ends.
std::optional<double> RateBelow(double rate, double usual);

}  // namespace pare::train
