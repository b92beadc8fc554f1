#include "train/choose_rate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "platform/file.h"
#include "platform/test_folder.h"
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

// Tells of trials.
class Listener : public SilentProgress {
 public:
  explicit Listener(int64_t steps = 1'000'000) : left_(steps) {}
  void Stage(std::string_view what, int64_t) override { trials += what.starts_with("trying"); }
  void Note(std::string_view text) override { notes += Text(text, '\n'); }
  void Advance(int64_t units) override { left_ -= units; }
  bool cancelled() const override { return left_ <= 0; }

  int trials = 0;
  std::string notes;

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

// A rate whose trial leaves the losses, from the usual one on down, and then up.
double Chosen(double start, const std::vector<double>& losses) {
  std::vector<double> scores{start};
  scores.insert(scores.end(), losses.begin(), losses.end());
  size_t calls = 0;
  TrainOptions options = TryingOptions();
  options.schedule.rate = 1e-4;
  options.steps = 20;
  options.validate_every = 20;
  const auto trained =
      TrainOn(SmallClassifier(), 1, options, [&](const graph::Graph&) -> Result<Scored> {
        const double loss = calls < scores.size() ? scores[calls] : 9;
        ++calls;
        return Scored{0, loss, 0};
      });
  EXPECT_TRUE(trained);
  EXPECT_EQ(calls, scores.size() + 1) << "the last validation is the run's";
  return trained->rate / options.schedule.rate;
}

TEST(ChooseRate, TakesTheLowestLoss) {
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 1, 1.5}), 0.3);
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 2.5, 1, 1.5}), 3) << "the fourth is higher than the first";
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 2.5, 1.99, 1.2, 1.15}), 10) << "nearly the same";
  EXPECT_DOUBLE_EQ(Chosen(3, {2, 1.95, 1.99, 2.5}), 1) << "nearly the same";
  EXPECT_DOUBLE_EQ(Chosen(1, {5, 4, 3, 2, 0.9, 0.95}), 0.01) << "all before break something";
  EXPECT_DOUBLE_EQ(Chosen(1, {1.02, 0.98, 0.99}), 0.3) << "no worse than the start";
  EXPECT_DOUBLE_EQ(Chosen(1, {NAN, NAN, 0.9, 0.95}), 0.1);
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
  EXPECT_LE(trained->rate, 0.09);
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
  const auto whole = TrainOn(SmallClassifier(), 1, options);
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
  EXPECT_GT(in_run.trials, 0);
  EXPECT_FALSE(TrainOn(SmallClassifier(), 1, options, late));
  EXPECT_EQ(late.trials, 0);
  const auto resumed = TrainOn(SmallClassifier(), 1, options, last);
  ASSERT_TRUE(resumed) << resumed.error().message();
  EXPECT_EQ(last.trials, 0);
  EXPECT_EQ(resumed->rate, whole->rate);
  ExpectSameConstants(whole->graph, resumed->graph);
}

// Where no rate is low enough the run itself tells what is not finite.
TEST(ChooseRate, LeavesErrorsToTheRun) {
  const auto trained = TrainOn(SmallClassifier(), 1e38f, TryingOptions());
  ASSERT_FALSE(trained);
  EXPECT_NE(trained.error().message().find("not finite"), std::string::npos)
      << trained.error().message();
}

}  // namespace
}  // namespace pare::train
