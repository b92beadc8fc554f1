#include "train/choose_rate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "platform/file.h"
#include "platform/test_folder.h"
#include "train/testing.h"

namespace pare::train {
namespace {

constexpr int64_t kSamples = 192;

TrainOptions SomeOptions() {
  TrainOptions options;
  options.program.batch = 16;
  options.schedule.rate = 0.3;
  options.steps = 200;
  options.seed = 3;
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

void ExpectSameWeights(const graph::Graph& a, const graph::Graph& b) {
  for (const char* name : {"w1", "b1", "w2", "b2"}) {
    EXPECT_TRUE(graph::SameTensor(a.value(a.FindValue(name)).data, b.value(b.FindValue(name)).data))
        << name;
  }
}

TEST(ChooseRate, LeavesTheRunAsIfTheRateHadBeenGiven) {
  TrainOptions options = SomeOptions();
  options.program.optimizer.ema = 0.9f;
  const auto chosen = TrainOn(SmallClassifier(), 1, options);
  ASSERT_TRUE(chosen) << chosen.error().message();
  options.tries_rates = false;
  options.schedule.rate = chosen->rate;
  const auto given = TrainOn(SmallClassifier(), 1, options);
  ASSERT_TRUE(given);
  ExpectSameWeights(chosen->graph, given->graph);
}

TEST(ChooseRate, TakesAHighOneWhereAllIsToBeLearned) {
  const auto trained = TrainOn(SmallClassifier(), 1, SomeOptions());
  ASSERT_TRUE(trained);
  EXPECT_GE(trained->rate, 0.09);
  EXPECT_LT(trained->history.back().loss, 0.3 * std::log(3));
}

TEST(ChooseRate, TakesAHigherOneThanTheFirstWhereThatLearnsMore) {
  TrainOptions options = SomeOptions();
  options.schedule.rate = 0.003;
  const auto trained = TrainOn(SmallClassifier(), 1, options);
  ASSERT_TRUE(trained);
  EXPECT_GT(trained->rate, 0.02);
  EXPECT_LE(trained->rate, 0.09);
}

TEST(ChooseRate, TakesALowOneForLargeInputs) {
  TrainOptions options = SomeOptions();
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
      TrainOn(start, 1, SomeOptions(), progress,
              [&](const graph::Graph& now) -> Result<Scored> { return Scored{-distance(now)}; });
  ASSERT_TRUE(trained);
  EXPECT_DOUBLE_EQ(trained->rate, 0.3 * 0.001);
  EXPECT_NE(progress.notes.find("above the start's"), std::string::npos) << progress.notes;
}

TEST(ChooseRate, IsNotDoneAgainWhereARunGoesOn) {
  const TestFolder folder;
  TrainOptions options = SomeOptions();
  const auto whole = TrainOn(SmallClassifier(), 1, options);
  ASSERT_TRUE(whole);
  options.checkpoint = folder / "run.npz";
  options.resume = true;
  Listener in_trials(TrialSteps(options.steps) / 2), in_run(150), last;
  EXPECT_FALSE(TrainOn(SmallClassifier(), 1, options, in_trials));
  EXPECT_FALSE(TrainOn(SmallClassifier(), 1, options, in_run));
  EXPECT_GT(in_run.trials, 0);
  const auto resumed = TrainOn(SmallClassifier(), 1, options, last);
  ASSERT_TRUE(resumed) << resumed.error().message();
  EXPECT_EQ(last.trials, 0);
  EXPECT_EQ(resumed->rate, whole->rate);
  ExpectSameWeights(whole->graph, resumed->graph);
}

// Where no rate is low enough the run itself tells what is not finite.
TEST(ChooseRate, LeavesErrorsToTheRun) {
  const auto trained = TrainOn(SmallClassifier(), 1e38f, SomeOptions());
  ASSERT_FALSE(trained);
  EXPECT_NE(trained.error().message().find("not finite"), std::string::npos)
      << trained.error().message();
}

}  // namespace
}  // namespace pare::train
