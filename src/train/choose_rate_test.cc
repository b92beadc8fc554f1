#include "train/choose_rate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <optional>

#include "platform/file.h"
#include "platform/test_folder.h"
#include "train/targets.h"
#include "train/testing.h"

namespace pare::train {
namespace {

constexpr int64_t kSamples = 192;

// Of a run that tries rates.
TrainOptions TryingOptions() {
  TrainOptions options = SomeOptions();
  options.schedule.rate = 0.3;
  options.steps = 200;
  options.tries_rates = true;
  return options;
}

// The clouds, `size` times as far apart.
std::shared_ptr<const data::Dataset> Clouds(float size) {
  const auto clouds = ThreeClouds(kSamples);
  Tensor points = Tensor::Make(DType::kF32, {kSamples, 2}).value();
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < kSamples; ++i) {
    const data::Sample sample = clouds->Get(i).value();
    labels.push_back(sample.label);
    for (int axis : {0, 1})
      points.mutable_as<float>()[2 * i + axis] = size * sample.inputs[0].tensor.as<float>()[axis];
  }
  return data::DatasetOf({{.name = "", .tensor = points}}, labels).value();
}

// Tells of trials, and stops behind so many steps.
class Listener : public SilentProgress {
 public:
  explicit Listener(int64_t steps = 1'000'000) : left_(steps) {}
  void Stage(std::string_view what, int64_t) override {
    trials += what.starts_with("trying");
    stage = what;
  }
  void Note(std::string_view text) override { notes += Text(text, '\n'); }
  void Advance(int64_t units) override {
    if (stage != "looking at the data") left_ -= units;
  }
  bool cancelled() const override { return left_ <= 0; }

  int trials = 0;
  std::string notes, stage;

 private:
  int64_t left_;
};

Result<Trained> TrainOn(const graph::Graph& model, float size, const TrainOptions& options,
                        Progress& progress, const Score& score = {}) {
  LabelObjective objective;
  return Train(model, Clouds(size), FirstIndices(kSamples), {}, objective, score,
               model::Context::Make(1), options, progress);
}

Result<Trained> TrainOn(const graph::Graph& model, float size, const TrainOptions& options,
                        const Score& score = {}) {
  SilentProgress progress;
  return TrainOn(model, size, options, progress, score);
}

graph::Graph NormalizedClassifier() {
  auto graph = graph::Parse(R"(
input x: f32[N,2]
const w1: f32[16,2] = random(1, -0.7, 0.7)
const b1: f32[16] = fill(0)
const scale: f32[16] = fill(1)
const bias: f32[16] = fill(0)
const mean: f32[16] = fill(0)
const variance: f32[16] = fill(1)
const w2: f32[3,16] = random(2, -0.5, 0.5)
const b2: f32[3] = fill(0)
h = Gemm(x, w1, b1) {transB=1}
n = BatchNormalization(h, scale, bias, mean, variance)
a = Relu(n)
y = Gemm(a, w2, b2) {transB=1}
output y
)");
  EXPECT_TRUE(graph && ops::InferTypes(*graph));
  return *graph;
}

void ExpectSameConstants(const graph::Graph& a, const graph::Graph& b) {
  for (size_t i = 0; i < a.value_count(); ++i) {
    const auto id = static_cast<graph::ValueId>(i);
    if (!a.is_constant(id)) continue;
    EXPECT_TRUE(graph::SameTensor(a.value(id).data, b.value(id).data)) << a.value(id).name;
  }
}

// Weights, running statistics, moments, averages and sums of parts, all are those of the start.
TEST(ChooseRate, LeavesTheRunAsIfTheRateHadBeenGiven) {
  const std::function<void(TrainOptions&)> changes[] = {
      [](TrainOptions&) {},
      [](TrainOptions& o) { o.program.optimizer.ema = 0.9f; },
      [](TrainOptions& o) { o.program.parts = 2; },
      [](TrainOptions& o) { o.program.keep_zeros = true; },
      [](TrainOptions& o) {
        o.program.optimizer.kind = OptimizerKind::kAdamW;
        o.program.optimizer.weight_decay = 0.01f;
      },
  };
  const Score likes_change = [](const graph::Graph& now) -> Result<Scored> {
    return Scored{std::fabs(now.value(now.FindValue("w1")).data.as<float>()[0])};
  };
  for (const Score& score : {Score(), likes_change}) {
    for (size_t i = 0; i < std::size(changes); ++i) {
      SCOPED_TRACE(i);
      TrainOptions options = TryingOptions();
      changes[i](options);
      Listener progress;
      const auto chosen = TrainOn(NormalizedClassifier(), 1, options, progress, score);
      ASSERT_TRUE(chosen) << chosen.error().message();
      EXPECT_GE(progress.trials, 2);
      options.tries_rates = false;
      options.schedule.rate = chosen->rate;
      const auto given = TrainOn(NormalizedClassifier(), 1, options, score);
      ASSERT_TRUE(given);
      ExpectSameConstants(chosen->graph, given->graph);
    }
  }
}

Scored Of(double loss) { return {.score = 0, .loss = loss}; }

// A rate, as a part of the usual one, whose trials leave the scores, from the usual one on down,
// and then up.
double Chosen(const Scored& start, const std::vector<Scored>& trials, int64_t steps = 200) {
  std::vector<Scored> scores{start};
  scores.insert(scores.end(), trials.begin(), trials.end());
  size_t calls = 0;
  TrainOptions options = TryingOptions();
  options.schedule.rate = 1e-4;
  options.steps = options.validate_every = steps;
  const auto trained =
      TrainOn(SmallClassifier(), 1, options, [&](const graph::Graph&) -> Result<Scored> {
        return calls++ < scores.size() ? scores[calls - 1] : Of(9);
      });
  EXPECT_TRUE(trained);
  EXPECT_EQ(calls, scores.size() + 1) << "the last validation is the run's";
  return trained->rate / options.schedule.rate;
}
double Chosen(double start, const std::vector<double>& losses, int64_t steps = 200) {
  std::vector<Scored> trials;
  for (const double loss : losses) trials.push_back(Of(loss));
  return Chosen(Of(start), trials, steps);
}

TEST(ChooseRate, TakesTheLowestLoss) {
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 1, 1.5}), 0.3);
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 2.5, 1, 1.5}), 3) << "the fourth is higher, and well all the same";
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 2.5, 1.99, 1.2, 1.15, 1.3}), 10) << "nearly the same";
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 1.95, 1.99, 2.5}), 1) << "nearly the same";
  EXPECT_DOUBLE_EQ(Chosen(1, {5, 4, 3, 2, 0.9, 0.95}), 0.01) << "all before break something";
  EXPECT_DOUBLE_EQ(Chosen(1, {1.02, 0.98, 0.99}), 0.3) << "no worse than the start";
  EXPECT_DOUBLE_EQ(Chosen(1, {NAN, NAN, 0.9, 0.95}), 0.1);
}

TEST(ChooseRate, StaysBelowTheEdge) {
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 2.5, 1, 2.1}), 1) << "the tenfold did not do well";
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 2.5, 1, NAN}), 1);
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 2.5, 1.5, 1, NAN}), 3);
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 2.5, 1.5, 1, 0.5, NAN}), 10);
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 2.5, 1.9, 1.8, 1.7, 1.5, 1.3, 1}), 300)
      << "of the highest nothing is known";
}

TEST(ChooseRate, TriesNoHigherOneInShortRuns) {
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 2.5}, 80), 1);
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 1, 1.5}, 80), 0.3);
}

// A network that is wiped out has a lower loss than one that is sure of its errors.
TEST(ChooseRate, TakesNoneThatScoresWorseThanALowerOne) {
  const Scored start{.score = 30, .loss = 9, .error = 2};
  const auto at = [](double score, double loss) {
    return Scored{.score = score, .loss = loss, .error = 2};
  };
  EXPECT_DOUBLE_EQ(Chosen(start, {at(67, 5), at(63, 6), at(51, 3)}), 1);
  EXPECT_DOUBLE_EQ(Chosen(start, {at(67, 5), at(63, 6), at(62, 3), at(62, 2.5), at(20, 2)}), 3)
      << "lower by no more than chance is no worse";
  EXPECT_DOUBLE_EQ(Chosen(start, {at(40, 3), at(67, 5)}), 0.3);
  EXPECT_DOUBLE_EQ(Chosen({.score = 90, .loss = 9}, {at(40, 3), at(70, 5), at(89, 7)}), 0.1)
      << "worse than the start";
}

TEST(ChooseRate, TakesAHighOneWhereAllIsToBeLearned) {
  const auto trained = TrainOn(SmallClassifier(), 1, TryingOptions());
  ASSERT_TRUE(trained);
  EXPECT_GE(trained->rate, 0.09);
  EXPECT_LT(trained->history.back().loss, 0.3 * std::log(3));
}

TEST(ChooseRate, TakesAHigherOneThanTheFirstWhereThatLearnsMore) {
  TrainOptions options = TryingOptions();
  options.schedule.rate = 0.003;
  const auto trained = TrainOn(SmallClassifier(), 1, options);
  ASSERT_TRUE(trained);
  EXPECT_GT(trained->rate, 0.02);
  EXPECT_LT(trained->history.back().loss, 0.3 * std::log(3));
}

TEST(ChooseRate, TakesALowOneForLargeInputs) {
  TrainOptions options = TryingOptions();
  const auto trained = TrainOn(SmallClassifier(), 300, options);
  ASSERT_TRUE(trained) << trained.error().message();
  EXPECT_LT(trained->rate, 0.02);
  options.tries_rates = false;
  const auto whole = TrainOn(SmallClassifier(), 300, options);
  const double left = whole ? whole->history.back().loss : INFINITY;
  EXPECT_GT(left, 2 * trained->history.back().loss);
}

// By validation: what is right already is hardly moved.
TEST(ChooseRate, TakesALowOneWhereNothingIsLeftToLearn) {
  const graph::Graph start = SmallClassifier();
  const auto distance = [&](const graph::Graph& now) {
    double sum = 0;
    for (const char* name : {"w1", "w2"}) {
      const auto a = start.value(start.FindValue(name)).data.as<float>();
      const auto b = now.value(now.FindValue(name)).data.as<float>();
      for (size_t i = 0; i < a.size(); ++i) sum += std::pow(a[i] - b[i], 2);
    }
    return sum;
  };
  Listener progress;
  const auto trained =
      TrainOn(start, 1, TryingOptions(), progress,
              [&](const graph::Graph& now) -> Result<Scored> { return Scored{-distance(now)}; });
  ASSERT_TRUE(trained);
  EXPECT_DOUBLE_EQ(trained->rate, 0.3 * 0.001);
  EXPECT_NE(progress.notes.find("worse one than the start's"), std::string::npos) << progress.notes;
}

TEST(ChooseRate, IsNotDoneAgainWhereARunGoesOn) {
  const TestFolder folder;
  TrainOptions options = TryingOptions();
  Listener all;
  const auto whole = TrainOn(SmallClassifier(), 1, options, all);
  ASSERT_TRUE(whole);
  options.checkpoint = folder / "run.npz";
  options.resume = true;
  // In the second trial; behind the trials, before the first validation; later.
  Listener in_trials(2 * TrialSteps(options.steps) + 3), in_run(75), late(60), last;
  const auto stopped = TrainOn(SmallClassifier(), 1, options, in_trials);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind(), ErrorKind::kCancelled);
  EXPECT_NE(stopped.error().message().find("go on with --resume"), std::string::npos)
      << stopped.error().message();
  EXPECT_FALSE(TrainOn(SmallClassifier(), 1, options, in_run));
  EXPECT_EQ(in_trials.trials, 2);
  EXPECT_EQ(in_run.trials, all.trials - 1) << "the one that was stopped is made anew";
  EXPECT_NE(in_run.notes.find("after step 0 of 200, and 1 trial of"), std::string::npos)
      << in_run.notes;
  EXPECT_FALSE(TrainOn(SmallClassifier(), 1, options, late));
  EXPECT_EQ(late.trials, 0);
  const auto resumed = TrainOn(SmallClassifier(), 1, options, last);
  ASSERT_TRUE(resumed) << resumed.error().message();
  EXPECT_EQ(last.trials, 0);
  EXPECT_EQ(resumed->rate, whole->rate);
  ExpectSameConstants(whole->graph, resumed->graph);
}

// As if the process had been killed there: behind each trial, where a score judges them.
TEST(ChooseRate, MakesNoFinishedTrialAgain) {
  const Score likes_change = [](const graph::Graph& now) -> Result<Scored> {
    const float weight = now.value(now.FindValue("w1")).data.as<float>()[0];
    return Scored{.score = std::fabs(weight), .loss = std::exp(-std::fabs(weight))};
  };
  TrainOptions options = TryingOptions();
  Listener all;
  const auto whole = TrainOn(SmallClassifier(), 1, options, all, likes_change);
  ASSERT_TRUE(whole) << whole.error().message();
  ASSERT_GE(all.trials, 2);
  for (int finished = 1; finished <= all.trials; ++finished) {
    SCOPED_TRACE(finished);
    const TestFolder folder;
    options.checkpoint = folder / "run.npz";
    int scored = 0;
    const Score dies = [&](const graph::Graph& now) -> Result<Scored> {
      if (++scored > 1 + finished) return Fail(ErrorKind::kUnmet, "killed");
      return likes_change(now);
    };
    options.resume = false;
    EXPECT_FALSE(TrainOn(SmallClassifier(), 1, options, dies));
    options.resume = true;
    Listener rest;
    const auto resumed = TrainOn(SmallClassifier(), 1, options, rest, likes_change);
    ASSERT_TRUE(resumed) << resumed.error().message();
    EXPECT_EQ(rest.trials, all.trials - finished);
    EXPECT_EQ(resumed->rate, whole->rate);
    ExpectSameConstants(whole->graph, resumed->graph);
  }
}

// y = x · w is to give back what goes in, by the square of the distance: at 0.3 its errors grow
// tenfold with each step. With `gains` its validations are better than the start's
// nevertheless.
Result<Trained> TrainSteep(const TrainOptions& options, Listener& progress, bool gains = false) {
  auto graph = graph::Parse(R"(
input x: f32[N,2]
const w: f32[2,2] = fill(0.5)
y = Gemm(x, w)
output y
)");
  EXPECT_TRUE(graph && ops::InferTypes(*graph));
  const auto samples = Clouds(6);
  PARE_ASSIGN(const auto objective, TargetObjective::Make(samples, TargetLoss::kMse));
  // Trials don't see it.
  const Score score = [&](const graph::Graph& now) -> Result<Scored> {
    if (progress.stage.starts_with("trying")) return Of(progress.stage.ends_with(" 0.3") ? 0 : 1);
    if (gains && progress.stage == "training") return Of(0);
    double distance = 0;
    const auto w = now.value(now.FindValue("w")).data.as<float>();
    for (int i = 0; i < 4; ++i) distance += std::pow(w[i] - (i % 3 == 0), 2);
    return Of(distance);
  };
  return Train(*graph, samples, FirstIndices(kSamples), {}, *objective, score,
               model::Context::Make(1), options, progress);
}

TEST(ChooseRate, ALowerOneBeginsAnewWhereTheRunDiesOfIt) {
  TrainOptions options = TryingOptions();
  options.validate_every = 7;
  Listener progress;
  const auto trained = TrainSteep(options, progress);
  ASSERT_TRUE(trained) << trained.error().message();
  EXPECT_DOUBLE_EQ(trained->rate, 0.03);
  EXPECT_EQ(trained->steps, options.steps);
  EXPECT_NE(progress.notes.find("the learning rate is 0.3"), std::string::npos) << progress.notes;
  EXPECT_NE(progress.notes.find("begins anew with the learning rate 0.03"), std::string::npos)
      << progress.notes;
  options.tries_rates = false;
  options.schedule.rate = 0.03;
  Listener quiet;
  const auto given = TrainSteep(options, quiet);
  ASSERT_TRUE(given);
  ExpectSameConstants(trained->graph, given->graph);
  EXPECT_EQ(trained->history.size(), given->history.size());
  options.schedule.rate = 0.3;
  EXPECT_FALSE(TrainSteep(options, quiet)) << "a rate that was given is kept";
}

TEST(ChooseRate, ARunThatBeganAnewGoesOn) {
  const TestFolder folder;
  TrainOptions options = TryingOptions();
  options.validate_every = 7;
  Listener whole_progress;
  const auto whole = TrainSteep(options, whole_progress);
  ASSERT_TRUE(whole) << whole.error().message();
  options.checkpoint = folder / "run.npz";
  options.resume = true;
  // Stopped before it dies, and after it has begun anew.
  const int64_t trials = 3 * TrialSteps(options.steps);
  Listener before(trials + 8), after(60), last;
  EXPECT_FALSE(TrainSteep(options, before));
  EXPECT_EQ(before.notes.find("anew"), std::string::npos) << before.notes;
  EXPECT_FALSE(TrainSteep(options, after));
  EXPECT_NE(after.notes.find("anew"), std::string::npos) << after.notes;
  const auto resumed = TrainSteep(options, last);
  ASSERT_TRUE(resumed) << resumed.error().message();
  EXPECT_EQ(last.trials, 0);
  EXPECT_EQ(last.notes.find("anew"), std::string::npos) << last.notes;
  EXPECT_DOUBLE_EQ(resumed->rate, 0.03);
  ExpectSameConstants(whole->graph, resumed->graph);
}

// It ends as at a rate that was given.
TEST(ChooseRate, ARunThatGainedDoesNotBeginAnew) {
  TrainOptions options = TryingOptions();
  options.validate_every = 7;
  std::optional<Trained> rescued;
  options.rescue = [&](const Trained& best) -> Result<std::string> {
    rescued = best;
    return std::string("best.onnx");
  };
  const auto dies = [&](const TrainOptions& how) {
    rescued.reset();
    Listener progress;
    const auto trained = TrainSteep(how, progress, true);
    EXPECT_EQ(progress.notes.find("anew"), std::string::npos) << progress.notes;
    ASSERT_FALSE(trained);
    EXPECT_NE(trained.error().message().find("not finite"), std::string::npos)
        << trained.error().message();
    EXPECT_NE(trained.error().advice().find("best.onnx"), std::string::npos)
        << trained.error().advice();
    ASSERT_TRUE(rescued);
    EXPECT_EQ(rescued->best_step, 7);
    EXPECT_DOUBLE_EQ(rescued->rate, 0.3);
  };
  TrainOptions given = options;
  given.tries_rates = false;
  given.schedule.rate = 0.3;
  dies(given);
  ASSERT_TRUE(rescued);
  const graph::Graph expected = rescued->graph;
  const TestFolder folder;
  options.checkpoint = folder / "run.npz";
  for (const bool resume : {false, true}) {
    SCOPED_TRACE(resume);
    options.resume = resume;
    dies(options);
    ASSERT_TRUE(rescued);
    ExpectSameConstants(expected, rescued->graph);
  }
  options.ends_where_not_finite = true;
  Listener progress;
  const auto ended = TrainSteep(options, progress, true);
  ASSERT_TRUE(ended) << ended.error().message();
  ExpectSameConstants(expected, ended->graph);
}

TEST(ChooseRate, BeginsAnewAFewTimesOnly) {
  EXPECT_FALSE(RateBelow(0.0015, 0.05));
  double rate = 0.5;
  for (const double expected : {0.05, 0.005, 0.0005}) {
    ASSERT_TRUE(RateBelow(rate, 0.05));
    rate = *RateBelow(rate, 0.05);
    EXPECT_DOUBLE_EQ(rate, expected);
  }
  EXPECT_FALSE(RateBelow(rate, 0.05));
}

// Where no rate is low enough the run itself tells what is not finite, and who chose the rate.
TEST(ChooseRate, LeavesErrorsToTheRun) {
  const auto trained = TrainOn(SmallClassifier(), 1e38f, TryingOptions());
  ASSERT_FALSE(trained);
  EXPECT_NE(trained.error().message().find("not finite"), std::string::npos)
      << trained.error().message();
  EXPECT_NE(trained.error().advice().find("trials chose the rate 0.0003"), std::string::npos)
      << trained.error().advice();
}

}  // namespace
}  // namespace pare::train
