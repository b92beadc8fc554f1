#include "train/choose_rate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <utility>

namespace pare::train {
namespace {

constexpr double kDown[] = {0.3, 0.1, 0.03, 0.01, 0.003, 0.001}, kUp[] = {3, 10, 30};
// What short runs tell of two rates by less than this part of the loss is chance: the one that is
// nearer to the usual rate is as good.
constexpr double kNoGain = 0.05;
constexpr double kWorst = std::numeric_limits<double>::infinity();

double LossOf(const Scored& scored) {
  const double loss = scored.loss.value_or(-scored.score);
  return std::isfinite(loss) ? loss : kWorst;
}

// A rate as people write it: what a note tells gives the same bits.
double Rounded(double rate) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", rate);
  return std::strtod(text, nullptr);
}

class Trials {
 public:
  explicit Trials(const TrialRun& run) : run_(run), steps_(TrialSteps(run.schedule.steps)) {}

  Result<double> Run() {
    PARE_ASSIGN(states_, run_.program.CopyStates());
    PARE_ASSIGN(start_, StartLoss());
    const double usual = run_.schedule.rate;
    PARE_ASSIGN(double before, Try(usual));
    const double first = before;
    for (const double factor : kDown) {
      PARE_ASSIGN(const double loss, Try(Rounded(usual * factor)));
      if (loss >= std::exchange(before, loss) && Holds(best_loss_)) break;
    }
    before = first;
    for (const double factor : kUp) {
      if (best_rate_ < usual) break;
      PARE_ASSIGN(const double loss, Try(Rounded(usual * factor)));
      if (loss >= std::exchange(before, loss)) break;
    }
    Tell();
    return best_rate_;
  }

 private:
  // No worse than the start.
  bool Holds(double loss) const { return loss < kWorst && loss <= start_; }

  void Tell() {
    const std::string_view by = !run_.score        ? "training loss"
                                : !run_.start.loss ? run_.name
                                                   : "validation loss";
    const bool lowest = best_loss_ == lowest_loss_;
    run_.progress.Note(Text("the learning rate is ", best_rate_,
                            lowest ? ": the best of " : ": nothing was clearly better of ", tried_,
                            " around ", run_.schedule.rate, ", by the ", by, " after trials of ",
                            steps_, " steps",
                            best_loss_ == kWorst ? "; none of them left finite numbers"
                            : Holds(best_loss_)  ? ""
                                                : "; all of them left a worse one than the start's",
                            " (--rate)"));
  }

  // Without a score: of the same batches where nothing moves.
  Result<double> StartLoss() {
    if (run_.score) return LossOf(run_.start);
    run_.progress.Stage("the loss at the start", steps_);
    return LossAfter(0);
  }

  // The loss that it leaves.
  Result<double> Try(double rate) {
    run_.progress.Stage(Text("trying the learning rate ", rate), steps_);
    PARE_ASSIGN(const double loss, LossAfter(rate));
    ++tried_;
    lowest_loss_ = std::min(lowest_loss_, loss);
    if (IsBetter(loss)) {
      best_loss_ = loss;
      best_rate_ = rate;
    }
    return loss;
  }

  // Than the best before. Of those that leave nothing finite the lowest is the best.
  bool IsBetter(double loss) const {
    if (best_loss_ == kWorst) return true;
    if (Holds(loss) != Holds(best_loss_)) return Holds(loss);
    const bool is_loss = !run_.score || run_.start.loss;  // a score may be a logarithm
    return loss < best_loss_ - (is_loss ? kNoGain * best_loss_ : 0);
  }

  // That a trial leaves.
  Result<double> LossAfter(double rate) {
    const Result<double> trained = Train(rate);
    if (!trained || !run_.score || !std::isfinite(*trained)) {
      run_.program.PutStates(states_);
      return trained;
    }
    PARE_ASSIGN(const graph::Graph finished, run_.program.Finished());
    run_.program.PutStates(states_);
    PARE_ASSIGN(const Scored scored, run_.score(finished));
    const double loss = LossOf(scored);
    run_.progress.Detail(
        Text("learning rate ", rate, ": ", run_.name, ' ', scored.score, ", loss ", loss));
    return loss;
  }

  // The mean loss of the trial's second half.
  Result<double> Train(double rate) {
    Schedule schedule = run_.schedule;
    schedule.rate = rate;
    schedule.warmup_steps = schedule.warmup_steps * steps_ / schedule.steps;
    schedule.steps = steps_;
    double sum = 0;
    for (int64_t step = 0; step < steps_; ++step) {
      PARE_ASSIGN(const double loss, Step(step, schedule.At(step)));
      if (!std::isfinite(loss)) return kWorst;
      if (step >= steps_ / 2) sum += loss;
      run_.progress.Advance(1);
      PARE_TRY(run_.progress.Check());
    }
    return sum / static_cast<double>(steps_ - steps_ / 2);
  }

  Result<double> Step(int64_t step, double rate) {
    double sum = 0;
    for (int64_t part = 0; part < run_.parts; ++part) {
      PARE_ASSIGN(const TrainBatch batch, run_.batches.At(step, part));
      PARE_ASSIGN(const StepResult result,
                  run_.program.Run(batch, {.step = step + 1, .part = part, .rate = rate}));
      if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) return kWorst;
      sum += result.loss;
    }
    return sum / static_cast<double>(run_.parts);
  }

  const TrialRun& run_;
  const int64_t steps_;
  std::vector<Tensor> states_;  // of the start
  double start_ = kWorst;       // its loss
  double lowest_loss_ = kWorst, best_loss_ = kWorst, best_rate_ = 0;
  int tried_ = 0;
};

}  // namespace

int64_t TrialSteps(int64_t run_steps) {
  return run_steps < 10 ? 0 : std::clamp<int64_t>(run_steps / 20, 5, 50);
}

Result<double> ChooseRate(const TrialRun& run) {
  if (TrialSteps(run.schedule.steps) == 0) return run.schedule.rate;
  return Trials(run).Run();
}

}  // namespace pare::train
