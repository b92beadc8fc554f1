#include "compress/quantize/tune.h"

#include <algorithm>
#include <cmath>

#include "compress/distill/distillation.h"
#include "compress/quantize/fake_quantize.h"
#include "compress/quantize/stages.h"
#include "compress/validate.h"

namespace pare::compress {
namespace {

using graph::Graph;

int64_t KeptOf(const TuneOptions& options, const std::vector<int64_t>& pool) {
  return std::min<int64_t>(options.validation, std::ssize(pool) / 4);
}

class Tuner {
 public:
  Tuner(Job& job, const Graph& teacher, const TuneOptions& options, std::vector<int64_t> pool,
        const std::vector<int64_t>& steering)
      : job_(job),
        teacher_(teacher),
        options_(options),
        steering_(steering),
        classifies_(ChooseMetric(job.options.metric, teacher) == Metric::kTop) {
    Divide(std::move(pool));
  }

  Result<Tuned> Run() {
    NoteFew();
    PARE_ASSIGN(start_, Decide(job_.calibration, job_.best.variant));
    PARE_ASSIGN(inserted_, InsertFakeQuantize(start_));
    PARE_ASSIGN(in_float_, model::MakeSession(teacher_, job_.context));
    PARE_ASSIGN(const PairScore before, Measure(*job_.best.session));
    PARE_ASSIGN(const train::Trained trained, Train());
    PARE_ASSIGN(Form form, FormOf(trained.graph));
    PARE_ASSIGN(const PairScore after, Measure(*form.session));
    bool keeps = NoteNearness(before, after) == Nearness::kNearer;
    if (keeps) {
      PARE_ASSIGN(keeps, HoldsLimit(form));
    }
    Tuned tuned{.kept = keeps,
                .snr_before = before.snr(),
                .snr_after = after.snr(),
                .agreement_before = AgreementOf(before),
                .agreement_after = AgreementOf(after),
                .training_samples = std::ssize(training_),
                .validation_samples = std::ssize(validation_.indices),
                .steps = trained.steps,
                .best_step = trained.best_step,
                .seconds = trained.seconds,
                .samples_per_second = trained.samples_per_second,
                .history = trained.history};
    if (tuned.kept) job_.best = std::move(form);
    return tuned;
  }

 private:
  Nearness NoteNearness(const PairScore& before, const PairScore& after) {
    const Nearness nearness = CompareForms(before, after, classifies_);
    const bool less = classifies_ && after.agreement() < before.agreement();
    if (nearness == Nearness::kAgreesLess) {
      job_.progress.Note(
          "the tuned form's outputs are nearer to the float model's, but it agrees with that on "
          "fewer samples than chance explains: the form before is kept");
    } else if (nearness == Nearness::kNearer && less) {
      job_.progress.Note(
          "the tuned form agrees with the float model on fewer samples than the one before, by no "
          "more than these samples can tell: its outputs are nearer, and that decides");
    }
    return nearness;
  }

  Result<bool> HoldsLimit(const Form& form) {
    if (!job_.options.max_drop) return true;
    PARE_ASSIGN(const bool holds, HoldsMaxDrop(job_, form, steering_));
    if (!holds) {
      job_.progress.Note(Text("the tuned form loses more than --max-drop ", *job_.options.max_drop,
                              ", which the one before holds"));
    }
    return holds;
  }

  void Divide(std::vector<int64_t> pool) {
    const int64_t kept = KeptOf(options_, pool);
    TrainingSplit split = DividePool(std::move(pool), kept, options_.train.seed);
    training_ = std::move(split.training);
    validation_ = {.dataset = job_.samples.dataset(),
                   .indices = std::move(split.validation),
                   .preprocess = job_.samples.preprocess(),
                   .batch = options_.train.program.batch};
  }

  void NoteFew() {
    const int64_t kept = std::ssize(validation_.indices);
    if (kept >= std::min(options_.validation, kFewSamples)) return;
    job_.progress.Note(Text("--tune has ", kept, kept == 1 ? " sample" : " samples",
                            " to choose the best weights by, fewer than ", kFewSamples,
                            ": on others they may be no better than those before; more data, or a "
                            "smaller --verification, leaves more"));
  }

  std::optional<double> AgreementOf(const PairScore& score) const {
    return classifies_ ? std::optional(score.agreement()) : std::nullopt;
  }

  Result<PairScore> Measure(runtime::Session& session) {
    return ComparePairs(*in_float_, session, validation_);
  }

  Result<Form> FormOf(const Graph& trained) {
    PARE_ASSIGN(Quantization quantization, TakeFakeQuantize(start_, inserted_, trained));
    Form form{job_.best.variant, {}, nullptr, {}};
    PARE_ASSIGN(form.built, Write(std::move(quantization)));
    PARE_ASSIGN(form.session, model::MakeSession(form.built.graph, job_.context));
    return form;
  }

  Result<train::Trained> Train() {
    DistillOptions loss;
    loss.alpha = options_.alpha;
    loss.temperature = options_.temperature;
    train::TrainOptions how = options_.train;
    how.ends_where_not_finite = true;  // what was there before is no worse for it
    PARE_ASSIGN(const MatchedTeacher matched,
                MatchTeacher(inserted_.graph, teacher_, "", job_.progress));
    PARE_ASSIGN(const Distillation distillation, MakeDistillation({.student = inserted_.graph,
                                                                   .teachers = {&matched, 1},
                                                                   .loss = loss,
                                                                   .metric = job_.options.metric,
                                                                   .training = training_,
                                                                   .validation = validation_,
                                                                   .run = how,
                                                                   .loss_option = "",
                                                                   .scores = false},
                                                                  job_.context, job_.progress));
    how.program.parameters.also = inserted_.Ratios();
    how.decisions = job_.timed.Text();
    const train::Score score = [this](const Graph& graph) -> Result<train::Scored> {
      PARE_ASSIGN(const Form form, FormOf(graph));
      PARE_ASSIGN(const PairScore pairs, Measure(*form.session));
      return train::Scored{pairs.snr()};
    };
    return train::Train(inserted_.graph, job_.samples.dataset(), training_,
                        job_.samples.preprocess(), *distillation.objective, score, job_.context,
                        how, job_.progress);
  }

  Job& job_;
  const Graph& teacher_;
  const TuneOptions& options_;
  const std::vector<int64_t>& steering_;
  const bool classifies_;
  std::vector<int64_t> training_;
  Validation validation_;
  std::unique_ptr<runtime::Session> in_float_;
  Quantization start_;
  FakeQuantized inserted_;
};

}  // namespace

double DefaultTuneRate(train::OptimizerKind kind) {
  return kind == train::OptimizerKind::kAdamW ? 0.0002 : 0.01;
}

Nearness CompareForms(const PairScore& before, const PairScore& after, bool classifies) {
  if (after.snr() <= before.snr()) return Nearness::kNotNearer;
  const auto change = ChangeBounds(before.agrees(), after.agrees());
  return classifies && change && change->high < 0 ? Nearness::kAgreesLess : Nearness::kNearer;
}

Status CheckTuning(const Graph& model, const TuneOptions& options,
                   const std::vector<int64_t>& pool) {
  PARE_TRY(train::CheckAugmentation(model, options.train.augment));
  if (KeptOf(options, pool) > 0) return {};
  return Fail(
      ErrorKind::kUsage,
      Text("--tune has ", pool.size(), " samples beside those that verify: too few to learn from"),
      "more data, or a smaller --verification");
}

TuneOptions::TuneOptions() {
  train.steps = 500;
  train.program.batch_option = "--tune-batch";
  train.validate_every = 100;
  train.program.optimizer.kind = train::OptimizerKind::kAdamW;
  train.schedule.rate = DefaultTuneRate(train.program.optimizer.kind);
}

Result<Tuned> Tune(Job& job, const Graph& teacher, const TuneOptions& options,
                   std::vector<int64_t> pool, const std::vector<int64_t>& steering) {
  return Tuner(job, teacher, options, std::move(pool), steering).Run();
}

}  // namespace pare::compress
