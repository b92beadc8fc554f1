#include "train/train.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "data/fingerprint.h"
#include "graph/text.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "train/parameter_notes.h"
#include "train/run_identity.h"
#include "train/trace.h"

namespace pare::train {
namespace {

constexpr int kIdentityForm = 3;

class Run {
 public:
  Run(const graph::Graph& model, Batches batches, const Score& score, const TrainOptions& options,
      Program program, Progress& progress)
      : model_(model),
        batches_(std::move(batches)),
        score_(score),
        options_(options),
        program_(std::move(program)),
        progress_(progress) {}

  Result<Trained> Go() {
    PARE_TRY(Plan());
    if (options_.tries_rates) {
      PARE_ASSIGN(start_states_, program_.StartStates());
    }
    PARE_TRY(Resume());
    PARE_ASSIGN(trace_, Trace::Begin(options_.trace));
    if (state_.step == 0) PARE_TRY(trace_.WriteStart(program_, identity_));
    if (program_.recomputation() > 0) {
      progress_.Note(
          Text("to fit into the memory, activations are computed anew in the backward "
               "pass (level ",
               program_.recomputation(), ")"));
    }
    if (options_.program.keep_zeros) NoteZeros();
    if (state_.step == 0) PARE_TRY(ScoreStart());
    PARE_TRY(SetRate());
    const int64_t before = first_step_ = state_.step;
    progress_.Stage(before > 0 ? Text("training from step ", before, " on") : "training",
                    steps_ - before);
    started_ = watch_.seconds();
    bool stop = state_.step >= steps_ || OutOfPatience();  // the checkpoint may be the run's end
    while (!stop) {
      const Result<bool> ended = Step();
      if (!ended && not_finite_ && LowersRate()) {
        PARE_TRY(BeginAnew(ended.error()));
        continue;
      }
      if (!ended && !EndsWith(ended.error())) return Fail(Rescued(ended.error()));
      stop = !ended || *ended;
    }
    return Outcome();
  }

 private:
  // Whether a chosen rate that the run doesn't survive can be a lower one. Weights that are better
  // than the start's aren't given up for it.
  bool LowersRate() const {
    return options_.tries_rates && state_.best_step <= 0 &&
           RateBelow(state_.rate, options_.schedule.rate).has_value();
  }

  // As if the lower rate had been chosen.
  Status BeginAnew(const Error& why) {
    const double failed = state_.rate;
    program_.PutStates(start_states_);
    const Scored start = state_.start;
    state_ = {};
    state_.rate = *RateBelow(failed, options_.schedule.rate);
    state_.start = start;
    if (score_) {
      state_.top_score = state_.start.score;
      PARE_TRY(KeepBest(state_.start));
    }
    progress_.Note(Text("the run begins anew with the learning rate ", state_.rate, ": with ",
                        failed, ", which trials chose, it became not finite (", why.message(),
                        ')'));
    not_finite_ = false;
    first_step_ = 0;
    validating_ = 0;
    PARE_TRY(SetRate());
    PARE_TRY(Save());
    progress_.Stage("training", steps_);
    started_ = watch_.seconds();
    return {};
  }

  // Whether what stopped the run counts as its end.
  bool EndsWith(const Error& error) {
    if (!not_finite_ || !options_.ends_where_not_finite) return false;
    progress_.Note(Text("training ended early: ", error.message()));
    return true;
  }

  // What the run has come to: the best weights, or those of its end where nothing is scored.
  Result<Trained> Outcome() {
    const double seconds = watch_.seconds();
    Trained trained{.graph = {},
                    .history = state_.history,
                    .batch = batch(),
                    .rate = schedule_.rate,
                    .steps = state_.step,
                    .best_step = state_.best_step,
                    .start_score = state_.start.score,
                    .best_score = state_.best.score,
                    .start_loss = state_.start.loss,
                    .best_loss = state_.best.loss,
                    .start_right = state_.start.right,
                    .best_right = state_.best.right,
                    .seconds = seconds_before_ + seconds,
                    .samples_per_second = {}};
    if (state_.step > first_step_) trained.samples_per_second = SamplesPerSecond();
    program_.PutStates(state_.best_states);
    program_.EndSteps();  // before the weights are copied
    PARE_ASSIGN(trained.graph, program_.Finished());
    return trained;
  }

  int64_t batch() const { return options_.program.batch; }
  int64_t parts() const { return options_.program.parts; }
  int64_t validation_every() const {
    return options_.validate_every > 0 ? options_.validate_every : steps_an_epoch_;
  }

  void NoteZeros() {
    int64_t zeros = 0, weights = 0;
    for (const Mask& mask : program_.masks()) {
      zeros += mask.zeros;
      weights += mask.moves.count();
    }
    progress_.Note(zeros == 0
                       ? std::string("no weight is 0 at the start: all of them move")
                       : Text(zeros, " of ", weights, " weights in ", program_.masks().size(),
                              " matrices and filters are 0 and stay so"));
  }

  Status Plan() {
    steps_an_epoch_ = batches_.steps_an_epoch();
    steps_ = options_.steps    ? options_.steps
             : options_.epochs ? options_.epochs * steps_an_epoch_
                               : std::max(kDefaultEpochs * steps_an_epoch_, kLeastSteps);
    schedule_ = options_.schedule;
    schedule_.steps = steps_;
    return CheckSchedule();
  }

  Status CheckSchedule() const {
    const int64_t warmup = schedule_.warmup_steps;
    if (warmup > 0 && schedule_.kind == ScheduleKind::kOneCycle) {
      return Fail(ErrorKind::kUsage, "one-cycle has a warm-up of its own",
                  "leave --warmup out, or take another --schedule");
    }
    if (warmup >= steps_ && warmup > 0) {
      return Fail(ErrorKind::kUsage,
                  Text("a warm-up of ", warmup, " steps is not shorter than the run of ", steps_),
                  "a shorter --warmup, or more steps");
    }
    if (options_.patience > 0 && !score_) {
      return Fail(ErrorKind::kUsage, "patience waits for a gain, and nothing is validated",
                  "a --validation of some samples, or no --patience");
    }
    return {};
  }

  // What must be the same for a checkpoint to fit.
  Result<std::string> Identity() const {
    progress_.Stage("looking at the data", std::ssize(batches_.indices()));
    PARE_ASSIGN(const std::string data,
                data::ContentHash(batches_.dataset(), batches_.indices(), progress_));
    Fnv1a order;
    for (int64_t index : batches_.indices()) order.Add(index);
    RunIdentity identity;
    identity.Add("the checkpoint's form", kIdentityForm);
    identity.AddHash("the model as it is trained", HashOfText(graph::Print(model_)));
    identity.Add("the data", '#' + data);
    identity.Add("the samples (--limit, --validation, --seed)",
                 Text(batches_.indices().size(), " of ", batches_.dataset().size(), " #",
                      HexText(order.value())));
    identity.AddSwitch("the validation", score_ != nullptr);
    identity.AddObjective(program_.objective().Identity());
    AddOptions(options_, identity);
    std::map<std::string, std::string> preprocess;
    batches_.preprocess().WriteTo(preprocess);
    for (const auto& [field, value] : preprocess) {
      std::string name = field.substr(field.rfind('.') + 1);
      std::ranges::replace(name, '_', '-');
      identity.Add(name == "channels" ? "--rgb or --bgr" : "--" + name, value);
    }
    return Text(identity.text(), kDecisions, options_.decisions);
  }

  Status Resume() {
    if (options_.checkpoint.empty() && options_.trace.empty()) return {};
    if (!options_.checkpoint.empty()) PARE_TRY(CheckCheckpoint(options_));
    PARE_ASSIGN(identity_, Identity());
    if (options_.checkpoint.empty() || !options_.resume) return {};
    if (!FileExists(options_.checkpoint)) {
      progress_.Note(Text("--resume found no checkpoint at ", options_.checkpoint,
                          ": the run begins at step 0"));
      return {};
    }
    PARE_ASSIGN(state_, LoadCheckpoint(options_.checkpoint, program_, {identity_, steps_}));
    if (!state_.history.empty()) seconds_before_ = state_.history.back().seconds;
    const auto made = std::ranges::count_if(state_.trials, [](const auto& trial) {
      return trial.rate > 0;  // none: the start's loss
    });
    const int64_t trials = state_.rate == 0 ? made : 0;
    progress_.Note(Text("going on after step ", state_.step, " of ", steps_,
                        trials > 0 ? Text(", and ", trials, trials == 1 ? " trial" : " trials",
                                          " of the learning rate")
                                   : ""));
    return {};
  }

  // The error, after the best weights until it were brought to safety.
  Error Rescued(Error error) {
    if (!options_.rescue || !score_ || state_.best_step <= 0) return error;
    const auto kept = [&]() -> Result<std::string> {
      PARE_ASSIGN(const Trained best, Outcome());
      return options_.rescue(best);
    }();
    if (!kept || kept->empty()) return error;  // the first reason counts
    return error.advise(Text(error.advice(), error.advice().empty() ? "" : "; ",
                             "the best weights until then (step ", state_.best_step, ", ",
                             options_.score_name, ' ', state_.best.score, ") are in ", *kept));
  }

  Status Save() {
    if (options_.checkpoint.empty()) return {};
    return SaveCheckpoint(options_.checkpoint, program_, state_, identity_);
  }

  // Chosen once in a run.
  Status SetRate() {
    if (!options_.tries_rates) return {};
    if (state_.rate == 0) {
      const auto keep = [this] { return Save(); };
      const auto chosen = ChooseRate({.program = program_,
                                      .states = start_states_,
                                      .batches = batches_,
                                      .parts = parts(),
                                      .schedule = schedule_,
                                      .score = score_,
                                      .start = state_.start,
                                      .name = options_.score_name,
                                      .trials = state_.trials,
                                      .keep = keep,
                                      .progress = progress_});
      if (!chosen && chosen.error().kind() == ErrorKind::kCancelled)
        return Interrupted("while the learning rate was tried");
      PARE_ASSIGN(state_.rate, chosen);
      PARE_TRY(Save());
    }
    schedule_.rate = state_.rate;
    return {};
  }

  // Behind a checkpoint.
  tl::unexpected<Error> Interrupted(std::string_view when) const {
    return Fail(ErrorKind::kCancelled, Text("interrupted ", when),
                options_.checkpoint.empty()
                    ? "--checkpoint FILE would keep the run"
                    : Text("go on with --resume; the checkpoint is ", options_.checkpoint));
  }

  // Whether the run is over.
  Result<bool> Step() {
    for (part_ = 0; part_ < parts(); ++part_) {
      PARE_ASSIGN(const TrainBatch next, batches_.At(state_.step, part_));
      PARE_TRY(Part(next));
    }
    ++state_.step;
    TellNow();
    progress_.Advance(1);
    return AfterStep();
  }

  Status Part(const TrainBatch& next) {
    rate_ = schedule_.At(state_.step);
    const StepPlace place{.step = state_.step + 1, .part = part_, .rate = rate_};
    PARE_ASSIGN(const StepResult result, program_.Run(next, place));
    if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) {
      not_finite_ = true;
      const auto found = program_.FindNotFinite(next, place);  // may lack the memory to look
      const std::string first = found ? *found : "";
      return Fail(
          Error(
              ErrorKind::kUnmet,
              Text("step ", place.step, ": the ", std::isfinite(result.loss) ? "gradient" : "loss",
                   " is not finite; the first value that is not is this one's"),
              Text(
                  state_.rate > 0 ? Text("trials chose the rate ", state_.rate, ": ") : "",
                  "a smaller --rate, a longer --warmup or --clip may help",
                  options_.checkpoint.empty()
                      ? ""
                      : "; the last checkpoint is as it was, and the same options lead here again"))
              .at(first.empty() ? "the model" : Text("layer ", first)));
    }
    PARE_TRY(trace_.WriteStep(model_, next, place, parts(), result.loss));
    state_.loss_sum += result.loss;
    ++state_.loss_count;
    return {};
  }

  Result<bool> AfterStep() {
    const bool last = state_.step == steps_;
    bool stop = last;
    if (state_.step % validation_every() == 0 || last) {
      PARE_TRY(Validate());
      stop = stop || OutOfPatience();
      PARE_TRY(Save());
    } else if (options_.checkpoint_every > 0 && state_.step % options_.checkpoint_every == 0) {
      PARE_TRY(Save());
    }
    if (stop || !progress_.cancelled()) return stop;
    PARE_TRY(Save());
    return Interrupted(Text("after step ", state_.step));
  }

  // The checkpoint is written once before the first step, so that one that can't be is known then.
  Status ScoreStart() {
    if (score_) {
      PARE_ASSIGN(const Scored start, score_(model_));
      state_.start = start;
      state_.top_score = start.score;
      PARE_TRY(KeepBest(start));
    }
    return Save();
  }

  bool OutOfPatience() const {
    return options_.patience > 0 && score_ && state_.best_step >= 0 &&
           state_.step - state_.best_step >= options_.patience * validation_every();
  }

  Status Validate() {
    const Stopwatch watch;
    HistoryRow row{
        .step = state_.step,
        .epoch = static_cast<double>(state_.step) / static_cast<double>(steps_an_epoch_),
        .loss = state_.loss_sum / static_cast<double>(std::max<int64_t>(1, state_.loss_count)),
        .rate = rate_,
        .score = NAN,
        .validation_loss = NAN};
    if (score_) {
      PARE_ASSIGN(const graph::Graph finished, program_.Finished());
      PARE_ASSIGN(const Scored scored, score_(finished));
      row.score = scored.score;
      row.validation_loss = scored.loss.value_or(NAN);
      state_.top_score = std::max(state_.top_score, scored.score);
      if (IsBest(scored)) PARE_TRY(KeepBest(scored));
    }
    validating_ += watch.seconds();
    row.seconds = seconds_before_ + watch_.seconds();
    state_.history.push_back(row);
    state_.loss_sum = 0;
    state_.loss_count = 0;
    progress_.Detail(LineOf(row));
    return {};
  }

  bool IsBest(const Scored& now) const {
    const double least = state_.top_score - now.margin * (1 + 1e-9);
    if (state_.best_step < 0 || now.score < least) return state_.best_step < 0;
    if (state_.best.score < least) return true;
    return now.loss == state_.best.loss ? now.score > state_.best.score
                                        : now.loss < state_.best.loss;
  }

  std::string LineOf(const HistoryRow& row) const {
    std::string line = Text("step ", row.step, " of ", steps_, ": loss ", row.loss);
    if (score_) line += Text(", ", options_.score_name, ' ', row.score);
    if (std::isfinite(row.validation_loss)) line += Text(", validation loss ", row.validation_loss);
    return line;
  }

  // Of this run, without what its validations took.
  double SamplesPerSecond() const {
    const double seconds = watch_.seconds() - started_ - validating_;
    return static_cast<double>((state_.step - first_step_) * batch()) / std::max(seconds, 1e-9);
  }

  void TellNow() {
    const double mean =
        state_.loss_sum / static_cast<double>(std::max<int64_t>(1, state_.loss_count));
    progress_.Now(
        Text("loss ", mean, ", ", static_cast<int64_t>(SamplesPerSecond()), " samples/s"));
  }

  Status KeepBest(const Scored& scored) {
    state_.best = scored;
    state_.best_step = state_.step;
    PARE_ASSIGN(state_.best_states, program_.CopyStates());
    return {};
  }

  const graph::Graph& model_;
  Batches batches_;
  const Score& score_;
  const TrainOptions& options_;
  Program program_;
  Progress& progress_;

  Schedule schedule_;
  int64_t steps_ = 0, steps_an_epoch_ = 0;
  int64_t part_ = 0;  // of the step that is being computed
  double rate_ = 0;
  bool not_finite_ = false;    // the step's loss or gradient
  int64_t first_step_ = 0;     // of this run
  double started_ = 0;         // when its first step began
  double seconds_before_ = 0;  // of the runs that this one goes on from
  double validating_ = 0;      // seconds of this run
  const Stopwatch watch_;
  std::string identity_;  // of the run, for its checkpoints
  RunState state_;
  std::vector<Tensor> start_states_;  // of the program, where the rate is chosen
  Trace trace_;
};

Batches BatchesOf(const graph::Graph& model, std::shared_ptr<const data::Dataset> dataset,
                  std::vector<int64_t> indices, const data::Preprocess& preprocess,
                  const ProgramOptions& fitted, const TrainOptions& options) {
  return {model,
          std::move(dataset),
          std::move(indices),
          preprocess,
          {.batch = fitted.batch,
           .parts = fitted.parts,
           .seed = options.seed,
           .augment = options.augment}};
}

}  // namespace

Status CheckCheckpoint(const TrainOptions& options) {
  if (options.resume || options.checkpoint.empty() || !FileExists(options.checkpoint)) return {};
  return Fail(Error(ErrorKind::kUsage, "the checkpoint is there already",
                    "--resume goes on from it; for a new run give another name or remove the file")
                  .at(options.checkpoint));
}

int64_t StepBatch(const ProgramOptions& options, int64_t samples) {
  const bool divisible = options.parts >= 1 && options.batch % options.parts == 0;
  if (samples >= options.batch || !divisible) return options.batch;
  return samples - samples % options.parts;
}

Result<std::vector<Dims>> StepShapes(const graph::Graph& model,
                                     std::shared_ptr<const data::Dataset> dataset,
                                     std::vector<int64_t> indices,
                                     const data::Preprocess& preprocess,
                                     const ProgramOptions& options) {
  if (options.batch < 1)
    return Fail(ErrorKind::kUsage, Text("a step of ", options.batch, " samples"), "at least one");
  const int64_t parts = std::max<int64_t>(1, options.parts);
  if (std::ssize(indices) < parts) {
    return Fail(ErrorKind::kUsage,
                Text("there are ", indices.size(), " samples to train on, and a step has ", parts,
                     parts == 1 ? " part" : " parts"),
                "more data, or fewer samples for --validation");
  }
  const int64_t rows = std::max<int64_t>(1, StepBatch(options, std::ssize(indices)) / parts);
  indices.resize(static_cast<size_t>(rows));
  PARE_ASSIGN(data::Loader loader,
              data::Loader::Make(std::move(dataset), model::InputSpecs(model), std::move(indices),
                                 {.batch = rows, .preprocess = preprocess, .prefetch = false}));
  if (loader.batch() != rows) {
    return Fail(ErrorKind::kUsage,
                Text("the model's batch is fixed to ", loader.batch(), ", and a step's is ", rows),
                Text("a batch of ", loader.batch() * parts, " (--batch), and as many samples"));
  }
  PARE_ASSIGN(const auto batch, loader.Next());
  return batch ? batch->shapes() : std::vector<Dims>();
}

Result<TrainBatch> FirstBatch(const graph::Graph& model,
                              std::shared_ptr<const data::Dataset> dataset,
                              std::vector<int64_t> indices, const data::Preprocess& preprocess,
                              const TrainOptions& options) {
  PARE_TRY(CheckParts(options.program));
  PARE_TRY(CheckAugmentation(model, options.augment));
  ProgramOptions how = options.program;
  how.batch = StepBatch(how, std::ssize(indices));
  return BatchesOf(model, std::move(dataset), std::move(indices), preprocess, how, options)
      .At(0, 0);
}

Result<Trained> Train(const graph::Graph& model, std::shared_ptr<const data::Dataset> dataset,
                      std::vector<int64_t> indices, const data::Preprocess& preprocess,
                      Objective& objective, const Score& score, const model::Context& context,
                      const TrainOptions& options, Progress& progress) {
  PARE_TRY(CheckAugmentation(model, options.augment));
  TrainOptions fitted = options;
  ProgramOptions& how = fitted.program;
  PARE_ASSIGN(how.shapes, StepShapes(model, dataset, indices, preprocess, how));
  how.batch = StepBatch(how, std::ssize(indices));
  if (how.batch < options.program.batch) {
    progress.Note(Text("there are ", indices.size(), " samples to train on: a step's batch is ",
                       how.batch, " of them in place of ", options.program.batch));
  }
  PARE_ASSIGN(Program program, Program::Make(model, objective, context, how));
  PARE_ASSIGN(const auto notes, NotesOnParameters(model, how.parameters));
  for (const std::string& note : notes) progress.Note(note);
  Batches batches =
      BatchesOf(model, std::move(dataset), std::move(indices), preprocess, how, options);
  return Run(model, std::move(batches), score, fitted, std::move(program), progress).Go();
}

}  // namespace pare::train
