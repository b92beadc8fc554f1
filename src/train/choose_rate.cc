#include "train/choose_rate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace pare::train {
namespace {

constexpr double kDown[] = {0.3, 0.1, 0.03, 0.01, 0.003, 0.001},
                 kUp[] = {3, 10, 30, 100, 300, 1000};
// What short runs tell of two rates by less than this part of the loss is chance: the one that is
// nearer to the usual rate is as good.
constexpr double kNoGain = 0.05;
constexpr double kWorst = std::numeric_limits<double>::infinity();

// Of how many standard errors two scores differ by chance.
constexpr double kByChance = 3;

Trial TrialOf(double rate, const Scored& scored) {
  const double loss = scored.loss.value_or(-scored.score);
  if (!std::isfinite(loss) || !std::isfinite(scored.score)) return {.rate = rate};
  return {.rate = rate,
          .loss = loss,
          .score = scored.score,
          .slack = scored.margin + kByChance * scored.error};
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
    PARE_ASSIGN(start_, Start());
    const double usual = run_.schedule.rate;
    PARE_ASSIGN(const Trial first, Try(usual));
    candidates_.push_back(first);
    PARE_TRY(TryLower(first));
    if (Best().rate == usual && steps_ >= kStepsForHigherRates) PARE_TRY(TryHigher(first));
    const Trial best = Best();
    Tell(best);
    return best.rate;
  }

 private:
  Status TryLower(Trial before) {
    for (const double factor : kDown) {
      PARE_ASSIGN(const Trial trial, Try(Rounded(run_.schedule.rate * factor)));
      candidates_.push_back(trial);
      if (trial.loss >= before.loss && DidWell(Best())) break;
      before = trial;
    }
    return {};
  }

  // Each is a candidate when the next one has done well, too.
  Status TryHigher(const Trial& usual) {
    std::optional<Trial> before;
    for (const double factor : kUp) {
      PARE_ASSIGN(const Trial trial, Try(Rounded(usual.rate * factor)));
      if (!DidWell(trial) || trial.loss > usual.loss) break;
      if (before) candidates_.push_back(*before);
      if (before && trial.loss >= before->loss) break;
      before = trial;
    }
    return {};
  }

  bool DidWell(const Trial& trial) const {
    return trial.finite() && trial.loss <= start_.loss && !trial.IsWorseScored(start_) &&
           !LowerScoresMore(trial);
  }

  bool LowerScoresMore(const Trial& trial) const {
    return std::any_of(tried_.begin(), tried_.end(), [&](const Trial& other) {
      return other.finite() && other.rate < trial.rate && trial.IsWorseScored(other);
    });
  }

  Trial Best() const {
    const auto best_of = [&](auto fits) {
      std::optional<Trial> best;
      for (const Trial& trial : candidates_) {
        if (fits(trial) && (!best || IsBetter(trial, *best))) best = trial;
      }
      return best;
    };
    if (const auto best = best_of([&](const Trial& t) { return DidWell(t); })) return *best;
    const auto may = [&](const Trial& t) { return t.finite() && !LowerScoresMore(t); };
    // Of those that leave nothing finite the lowest is the best.
    return best_of(may).value_or(candidates_.back());
  }

  bool IsBetter(const Trial& trial, const Trial& than) const {
    const bool is_loss = !run_.score || run_.start.loss;  // a score may be a logarithm
    return trial.loss < than.loss - (is_loss ? kNoGain * than.loss : 0);
  }

  void Tell(const Trial& best) const {
    const std::string_view by = !run_.score        ? "training loss"
                                : !run_.start.loss ? run_.name
                                                   : "validation loss";
    const bool lowest = std::none_of(tried_.begin(), tried_.end(),
                                     [&](const Trial& trial) { return trial.loss < best.loss; });
    run_.progress.Note(Text("the learning rate is ", best.rate,
                            lowest ? ": the best of " : ": the best that looks safe of ",
                            tried_.size(), " around ", run_.schedule.rate, ", by the ", by,
                            " after trials of ", steps_, " steps",
                            !best.finite()  ? "; none of them left finite numbers"
                            : DidWell(best) ? ""
                                            : "; all of them left a worse one than the start's",
                            " (--rate)"));
  }

  // Without a score: of the same batches where nothing moves.
  Result<Trial> Start() {
    if (run_.score) return TrialOf(0, run_.start);
    return After(0, "the loss at the start");
  }

  Result<Trial> Try(double rate) {
    PARE_ASSIGN(const Trial trial, After(rate, Text("trying the learning rate ", rate)));
    tried_.push_back(trial);
    return trial;
  }

  // What a trial leaves, or left.
  Result<Trial> After(double rate, std::string_view stage) {
    const size_t place = made_++;
    if (place < run_.trials.size() && run_.trials[place].rate == rate) return run_.trials[place];
    run_.trials.resize(std::min(place, run_.trials.size()));
    run_.progress.Stage(stage, steps_);
    PARE_ASSIGN(const Trial trial, Made(rate));
    run_.trials.push_back(trial);
    PARE_TRY(run_.keep());
    return trial;
  }

  Result<Trial> Made(double rate) {
    const Result<double> trained = Train(rate);
    if (!trained || !run_.score || !std::isfinite(*trained)) {
      run_.program.PutStates(run_.states);
      PARE_ASSIGN(const double loss, trained);
      return Trial{.rate = rate, .loss = loss};
    }
    PARE_ASSIGN(const graph::Graph finished, run_.program.Finished());
    run_.program.PutStates(run_.states);
    PARE_ASSIGN(const Scored scored, run_.score(finished));
    const Trial trial = TrialOf(rate, scored);
    run_.progress.Detail(
        Text("learning rate ", rate, ": ", run_.name, ' ', scored.score, ", loss ", trial.loss));
    return trial;
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
  Trial start_;
  size_t made_ = 0;                        // of run_.trials
  std::vector<Trial> tried_, candidates_;  // in their order: the usual rate, lower, higher ones
};

}  // namespace

int64_t TrialSteps(int64_t run_steps) {
  return run_steps < 10 ? 0 : std::clamp<int64_t>(run_steps / 20, 5, 50);
}

Result<double> ChooseRate(const TrialRun& run) {
  if (TrialSteps(run.schedule.steps) == 0) return run.schedule.rate;
  return Trials(run).Run();
}

std::optional<double> RateBelow(double rate, double usual) {
  const double tenth = Rounded(rate / 10);
  if (tenth < 0.0099 * usual) return std::nullopt;  // but for rounding
  return tenth;
}

}  // namespace pare::train
