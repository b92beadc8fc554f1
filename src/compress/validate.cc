#include "compress/validate.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "compress/class_axis.h"
#include "compress/for_each_answer.h"
#include "compress/inputs.h"
#include "compress/values.h"
#include "data/split.h"
#include "passes/pipeline.h"
#include "train/loss.h"

namespace pare::compress {
namespace {

using graph::Graph;

// Progress of a run inside of another one's stage.
class Inner : public Progress {
 public:
  explicit Inner(Progress& outer) : outer_(outer) {}
  void Stage(std::string_view, int64_t) override {}
  void Advance(int64_t) override {}
  void Note(std::string_view text) override { outer_.Note(text); }
  bool cancelled() const override { return false; }  // the training loop asks, between steps

 private:
  Progress& outer_;
};

Result<std::unique_ptr<runtime::Session>> SessionOf(Graph graph, const model::Context& context) {
  PARE_TRY(passes::Simplify(graph));
  return model::MakeSession(graph, context);
}

Result<data::Loader> LoaderOf(const Graph& graph, const Validation& v) {
  return data::Loader::Make(v.dataset, model::InputSpecs(graph), v.indices,
                            {.batch = v.batch, .preprocess = v.preprocess, .prefetch = true});
}

train::Scored Share(double percent, double loss, const Validation& validation,
                    std::vector<bool> right = {}) {
  const auto samples = static_cast<double>(std::max<size_t>(1, validation.indices.size()));
  return {.score = percent,
          .loss = loss,
          .margin = 100 * static_cast<double>(kNoGainInHits) / samples,
          .error = std::sqrt(percent * (100 - percent) / samples),
          .right = std::move(right)};
}

// What answers in logits, and along which axes it makes probabilities of them, if at all.
struct Scorer {
  std::shared_ptr<runtime::Session> session;
  std::vector<std::optional<int>> axes;

  static Result<Scorer> Make(Graph graph, const model::Context& context) {
    Scorer scorer;
    for (size_t i = 0; i < graph.outputs().size(); ++i) {
      const graph::ValueId output = graph.outputs()[i].value;
      scorer.axes.push_back(train::SoftmaxAxis(graph, output));
      graph.SetOutputValue(static_cast<int>(i), train::LogitsOf(graph, output));
    }
    PARE_ASSIGN(scorer.session, SessionOf(std::move(graph), context));
    return scorer;
  }
};

Result<PositionScore> ComparePositions(const Scorer& reference, const Scorer& own,
                                       const Validation& validation) {
  const Graph &graph = own.session->graph(), &other = reference.session->graph();
  PARE_ASSIGN(const SharedInputs shared, MatchInputs(graph, other));
  PARE_ASSIGN(data::Loader loader, LoaderOf(graph, validation));
  PositionScore score;
  std::vector<Tensor> expected(other.outputs().size());
  const auto look = [&](const data::Batch& batch, const std::vector<Tensor>& actual) -> Status {
    PARE_ASSIGN(const auto inputs, shared.Of(batch.inputs));
    PARE_TRY(reference.session->Run(inputs, expected));
    PARE_TRY(ToF32(expected));
    for (size_t i = 0; i < std::min(actual.size(), expected.size()); ++i) {
      if (actual[i].rank() == 0 || actual[i].count() != expected[i].count()) {
        return Fail(ErrorKind::kUsage,
                    Text("the student's output is ", DimsText(actual[i].shape()),
                         ", the teacher's ", DimsText(expected[i].shape())),
                    "a student answers what its teacher answers");
      }
      const bool alike = actual[i].shape() == expected[i].shape();
      PARE_ASSIGN(const int axis, ClassAxis(actual[i].shape(), own.axes[i],
                                            alike ? reference.axes[i] : own.axes[i]));
      score.Add(i, expected[i].as<float>(), actual[i], axis, batch.count());
    }
    return {};
  };
  SilentProgress silent;
  PARE_TRY(ForEachAnswer(*own.session, loader, "", silent, look));
  return score;
}

Result<train::Score> ScoreByPositions(const Graph& reference, const Validation& validation,
                                      const model::Context& context) {
  PARE_ASSIGN(const Scorer other, Scorer::Make(reference, context));
  return [=](const Graph& graph) -> Result<train::Scored> {
    PARE_ASSIGN(const Scorer own, Scorer::Make(graph, context));
    PARE_ASSIGN(const PositionScore score, ComparePositions(other, own, validation));
    return Share(score.agreement(), score.divergence(), validation);
  };
}

}  // namespace

train::Score ScoreByLabels(const Validation& validation, float smoothing,
                           const model::Context& context, Progress& progress) {
  return [=, &progress](const Graph& graph) -> Result<train::Scored> {
    PARE_ASSIGN(const auto session, SessionOf(graph, context));
    PARE_ASSIGN(data::Loader loader, LoaderOf(graph, validation));
    Inner inner(progress);
    ClassLoss loss(graph, smoothing);
    PARE_ASSIGN(const Evaluation evaluation, Evaluate(*session, loader, inner, &loss));
    return Share(evaluation.top1.value_or(0), loss.mean(), validation, evaluation.right);
  };
}

train::Score ScoreByTargets(const Validation& validation,
                            std::shared_ptr<const data::Dataset> targets, train::TargetLoss loss,
                            const model::Context& context) {
  return [=](const Graph& graph) -> Result<train::Scored> {
    PARE_ASSIGN(const auto session, SessionOf(graph, context));
    PARE_ASSIGN(data::Loader loader, LoaderOf(graph, validation));
    PairScore score;
    ValueScore values;
    const auto look = [&](const data::Batch& batch, const std::vector<Tensor>& outputs) -> Status {
      if (loss != train::TargetLoss::kCosine)
        return values.Add(*targets, batch.indices, outputs[0]);
      Dims shape = outputs[0].shape();
      shape[0] = batch.count();
      PARE_ASSIGN(const Tensor expected, train::TargetRows(*targets, batch.indices, shape));
      return score.Add({&expected, 1}, {outputs.data(), 1}, batch.count());
    };
    SilentProgress silent;
    PARE_TRY(ForEachAnswer(*session, loader, "", silent, look));
    if (loss != train::TargetLoss::kCosine) return train::Scored{values.r2()};
    if (const auto cosine = score.cosine()) return train::Scored{*cosine};
    return Fail(ErrorKind::kInvalid, "the targets of all validation samples are no numbers",
                "check the file that --targets names");
  };
}

std::string_view TargetScoreName(train::TargetLoss loss) {
  return loss == train::TargetLoss::kCosine ? "cosine" : "r2";
}

Result<PairScore> ComparePairs(runtime::Session& reference, runtime::Session& other,
                               const Validation& validation, ClassLoss* loss) {
  PARE_ASSIGN(const SharedInputs shared, MatchInputs(other.graph(), reference.graph()));
  PARE_ASSIGN(data::Loader loader, LoaderOf(other.graph(), validation));
  PairScore score;
  std::vector<Tensor> expected(reference.graph().outputs().size());
  const auto look = [&](const data::Batch& batch, const std::vector<Tensor>& actual) -> Status {
    PARE_ASSIGN(const auto inputs, shared.Of(batch.inputs));
    PARE_TRY(reference.Run(inputs, expected));
    PARE_TRY(ToF32(expected));
    if (loss) loss->Add(expected[0], actual[0], batch.count());
    return score.Add(expected, actual, batch.count());
  };
  SilentProgress silent;
  PARE_TRY(ForEachAnswer(other, loader, "", silent, look));
  return score;
}

std::string_view LikenessName(Likeness likeness) {
  constexpr std::string_view kNames[] = {"agreement", "position-agreement", "cosine", "snr"};
  return kNames[static_cast<size_t>(likeness)];
}

Result<train::Score> ScoreByReference(const Graph& reference, Likeness likeness,
                                      const Validation& validation, const model::Context& context) {
  if (likeness == Likeness::kPositions) return ScoreByPositions(reference, validation, context);
  PARE_ASSIGN(std::shared_ptr<runtime::Session> other, SessionOf(reference, context));
  return [=](const Graph& graph) -> Result<train::Scored> {
    PARE_ASSIGN(const auto session, SessionOf(graph, context));
    if (likeness == Likeness::kAgreement) {
      ClassLoss loss(graph, reference);
      PARE_ASSIGN(const PairScore pairs, ComparePairs(*other, *session, validation, &loss));
      return Share(pairs.agreement(), loss.mean(), validation, pairs.agrees());
    }
    PARE_ASSIGN(const PairScore score, ComparePairs(*other, *session, validation));
    if (const auto cosine = score.cosine())
      return train::Scored{likeness == Likeness::kCosine ? *cosine : score.snr()};
    return Fail(ErrorKind::kInvalid,
                "the answers of the teacher are NaN or infinite for all validation samples",
                "check the preprocessing (--mean, --std, --scale), and the teacher by `pare run`");
  };
}

TrainingSplit DividePool(std::vector<int64_t> pool, int64_t kept, uint64_t seed) {
  Random(seed).Shuffle(pool);
  TrainingSplit split{.training = {pool.begin() + kept, pool.end()},
                      .validation = {pool.begin(), pool.begin() + kept}};
  std::sort(split.training.begin(), split.training.end());
  std::sort(split.validation.begin(), split.validation.end());
  return split;
}

TrainingSplit SplitForTraining(const data::Dataset& dataset, int64_t validation, int64_t limit,
                               uint64_t seed) {
  std::vector<int64_t> all = data::DrawSamples(dataset, limit, seed);
  const int64_t kept = std::min<int64_t>(validation, std::ssize(all) / 4);
  return DividePool(std::move(all), kept, seed);
}

}  // namespace pare::compress
