// Running statistics of BatchNormalization, which training moves beside the weights.
#include <gtest/gtest.h>

#include <cmath>

#include "base/test_progress.h"
#include "platform/test_folder.h"
#include "train/testing.h"

namespace pare::train {
namespace {

using graph::Graph;

constexpr int64_t kBatch = 16;

// A head that is applied to two layers: one scale, one shift, one pair of statistics.
Graph SharedHead() {
  auto graph = graph::Parse(R"(
input x: f32[N,2]
const w1: f32[2,4] = random(1, -1, 1)
const w2: f32[2,4] = random(2, -3, 3)
const scale: f32[4] = random(3, 0.5, 1.5)
const shift: f32[4] = random(4, -1, 1)
const mean: f32[4] = random(5, -1, 1)
const variance: f32[4] = random(6, 0.5, 2)
const w3: f32[4,3] = random(7, -1, 1)
a = MatMul(x, w1)
b = MatMul(x, w2)
p = BatchNormalization(a, scale, shift, mean, variance)
q = BatchNormalization(b, scale, shift, mean, variance)
both = Mul(p, q)
y = MatMul(both, w3)
output y
)");
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(ops::InferTypes(*graph));
  return *graph;
}

std::vector<float> ValuesOf(const Graph& graph, const char* name) {
  const auto values = graph.value(graph.FindValue(name)).data.as<float>();
  return {values.begin(), values.end()};
}

TrainBatch SomeBatch() {
  Tensor points = Tensor::Make(DType::kF32, {kBatch, 2}).value();
  Random random(9);
  for (float& x : points.mutable_as<float>()) x = random.Normal();
  TrainBatch batch{.data = {.inputs = {points}, .indices = {}, .labels = {}}, .mixture = {}};
  for (int64_t i = 0; i < kBatch; ++i) batch.data.labels.push_back(i % 3);
  return batch;
}

// Mean and (unbiased) variance of each column of x · w.
struct Moments {
  std::vector<double> mean, variance;

  Moments(const Tensor& x, const std::vector<float>& w, int64_t width)
      : mean(width), variance(width) {
    const int64_t rows = x.shape()[0], depth = x.shape()[1];
    for (int64_t column = 0; column < width; ++column) {
      std::vector<double> y(rows);
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t k = 0; k < depth; ++k)
          y[row] += double{x.as<float>()[row * depth + k]} * w[k * width + column];
        mean[column] += y[row] / static_cast<double>(rows);
      }
      for (const double value : y)
        variance[column] +=
            (value - mean[column]) * (value - mean[column]) / static_cast<double>(rows - 1);
    }
  }
};

Result<Program> Make(const Graph& graph, Objective& objective, float ema = 0) {
  ProgramOptions options;
  options.batch = kBatch;
  options.optimizer.ema = ema;
  return Program::Make(graph, objective, model::Context::Make(1), options);
}

// As PyTorch's module that is called twice: each call moves them.
TEST(Statistics, OfTwoNodesMoveOneAfterTheOtherAndComeBack) {
  const Graph before = SharedHead();
  LabelObjective objective;
  auto program = Make(before, objective);
  ASSERT_TRUE(program) << program.error().message();
  const TrainBatch batch = SomeBatch();
  ASSERT_TRUE(program->Run(batch, {.step = 1, .rate = 0}));
  const Graph after = program->Finished().value();
  const Moments a(batch.data.inputs[0], ValuesOf(before, "w1"), 4);
  const Moments b(batch.data.inputs[0], ValuesOf(before, "w2"), 4);
  const auto twice = [](double start, double first, double second) {
    return 0.9 * (0.9 * start + 0.1 * first) + 0.1 * second;
  };
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(ValuesOf(after, "mean")[i],
                twice(ValuesOf(before, "mean")[i], a.mean[i], b.mean[i]), 1e-5);
    EXPECT_NEAR(ValuesOf(after, "variance")[i],
                twice(ValuesOf(before, "variance")[i], a.variance[i], b.variance[i]), 1e-5);
  }
}

std::vector<float> AnswersOf(const Graph& graph) {
  auto session = model::MakeSession(graph, model::Context::Make(1)).value();
  std::vector<Tensor> outputs(1);
  EXPECT_TRUE(session->Run(SomeBatch().data.inputs, outputs));
  const auto values = outputs[0].as<float>();
  return {values.begin(), values.end()};
}

// A step that overflows, looked at again or not, and a good one behind it.
TEST(Statistics, StayWhereAStepIsNotFinite) {
  const Graph before = SharedHead();
  const StepPlace first{.step = 1, .rate = 0.1}, second{.step = 2, .rate = 0.1};
  TrainBatch wild = SomeBatch();
  wild.data.inputs[0].mutable_as<float>()[3] = 3e38f;
  for (const float ema : {0.0f, 0.5f}) {
    LabelObjective objective;
    auto plain = Make(before, objective, ema), program = Make(before, objective, ema);
    ASSERT_TRUE(plain && program);
    ASSERT_TRUE(plain->Run(SomeBatch(), first) && program->Run(SomeBatch(), first));
    const auto result = program->Run(wild, second);
    ASSERT_TRUE(result);
    EXPECT_FALSE(std::isfinite(result->loss) && std::isfinite(result->gradient_norm));
    ASSERT_TRUE(program->FindNotFinite(wild, second));
    ASSERT_EQ(program->states().size(), plain->states().size());
    for (size_t i = 0; i < plain->states().size(); ++i) {
      EXPECT_TRUE(graph::SameTensor(program->states()[i].data, plain->states()[i].data))
          << plain->states()[i].name;
    }
    ASSERT_TRUE(plain->Run(SomeBatch(), second) && program->Run(SomeBatch(), second));
    EXPECT_EQ(ValuesOf(program->Finished().value(), "mean"),
              ValuesOf(plain->Finished().value(), "mean"));
  }
}

// What validation scores is what is written, and not what it was before.
TEST(Statistics, OfTwoNodesAreThoseThatValidationScored) {
  std::vector<std::vector<float>> scored, means;
  const Score score = [&](const Graph& graph) -> Result<Scored> {
    scored.push_back(AnswersOf(graph));
    means.push_back(ValuesOf(graph, "mean"));
    return Scored{static_cast<double>(scored.size())};
  };
  TrainOptions options;
  options.program.batch = kBatch;
  options.steps = 4;
  options.validate_every = 2;
  LabelObjective objective;
  SilentProgress progress;
  const auto trained = Train(SharedHead(), ThreeClouds(64), FirstIndices(64), {}, objective, score,
                             model::Context::Make(1), options, progress);
  ASSERT_TRUE(trained) << trained.error().message();
  ASSERT_EQ(scored.size(), 3);
  EXPECT_NE(means[0], means[1]);
  EXPECT_NE(means[1], means[2]);
  EXPECT_EQ(ValuesOf(trained->graph, "mean"), means[2]);
  EXPECT_EQ(AnswersOf(trained->graph), scored[2]);
}

// Where mean and variance are one constant, there is nothing that could keep both.
TEST(Statistics, InOneConstantStay) {
  auto graph = graph::Parse(R"(
input x: f32[N,2]
const w1: f32[2,4] = random(1, -1, 1)
const scale: f32[4] = random(3, 0.5, 1.5)
const shift: f32[4] = random(4, -1, 1)
const both: f32[4] = random(5, 0.5, 1)
a = MatMul(x, w1)
y = BatchNormalization(a, scale, shift, both, both)
output y
)");
  ASSERT_TRUE(graph && ops::InferTypes(*graph));
  LabelObjective objective;
  auto program = Make(*graph, objective);
  ASSERT_TRUE(program) << program.error().message();
  ASSERT_TRUE(program->Run(SomeBatch(), {.step = 1, .rate = 0.1}));
  const Graph after = program->Finished().value();
  EXPECT_EQ(ValuesOf(after, "both"), ValuesOf(*graph, "both"));
  EXPECT_NE(ValuesOf(after, "scale"), ValuesOf(*graph, "scale"));
}

// The weights of the start hardly count after the first steps: with a decay of 0.999 alone the
// average would be 0.999 of them.
TEST(Averages, ForgetTheStartAndHoldStatisticsToo) {
  const Graph before = SharedHead();
  LabelObjective objective;
  const auto after_one = [&](float ema) {
    auto program = Make(before, objective, ema);
    EXPECT_TRUE(program) << program.error().message();
    EXPECT_TRUE(program->Run(SomeBatch(), {.step = 1, .rate = 0.1}));
    return program->Finished().value();
  };
  const Graph last = after_one(0), averaged = after_one(0.999f);
  for (const char* name : {"w1", "scale", "mean", "variance"}) {
    SCOPED_TRACE(name);
    const auto from = ValuesOf(before, name), to = ValuesOf(last, name);
    const auto average = ValuesOf(averaged, name);
    EXPECT_NE(from, to);
    for (size_t i = 0; i < from.size(); ++i)
      EXPECT_NEAR(average[i], from[i] + (1 - 2.0 / 11) * (to[i] - from[i]), 1e-6);
  }
}

// Later the decay is the one that was asked for.
TEST(Averages, ComeToTheDecayThatWasAsked) {
  const Graph before = SharedHead();
  LabelObjective objective;
  auto plain = Make(before, objective), program = Make(before, objective, 0.5f);
  ASSERT_TRUE(plain && program);
  std::vector<double> average;
  for (const float x : ValuesOf(before, "mean")) average.push_back(x);
  for (int64_t step = 1; step <= 12; ++step) {
    for (Program* one : {&*plain, &*program})
      ASSERT_TRUE(one->Run(SomeBatch(), {.step = step, .rate = 0}));
    const auto now = ValuesOf(plain->Finished().value(), "mean");
    const double decay =
        std::min(0.5, (1.0 + static_cast<double>(step)) / (10.0 + static_cast<double>(step)));
    for (size_t i = 0; i < average.size(); ++i) average[i] += (1 - decay) * (now[i] - average[i]);
  }
  const auto actual = ValuesOf(program->Finished().value(), "mean");
  for (size_t i = 0; i < average.size(); ++i) EXPECT_NEAR(actual[i], average[i], 1e-5);
}

TEST(Averages, OfStatisticsGoOnToTheSameBits) {
  const TestFolder folder;
  TrainOptions options;
  options.program.batch = kBatch;
  options.program.parts = 2;
  options.program.optimizer.ema = 0.9f;
  options.steps = 12;
  LabelObjective objective;
  const auto run = [&](Progress& progress) {
    return Train(SharedHead(), ThreeClouds(64), FirstIndices(64), {}, objective, {},
                 model::Context::Make(2), options, progress);
  };
  SilentProgress silent;
  const auto whole = run(silent);
  ASSERT_TRUE(whole) << whole.error().message();
  options.checkpoint = folder / "run.npz";
  options.resume = true;
  StopAfter early(5);
  ASSERT_FALSE(run(early));
  const auto resumed = run(silent);
  ASSERT_TRUE(resumed) << resumed.error().message();
  for (const char* name : {"w1", "w2", "scale", "shift", "mean", "variance", "w3"})
    EXPECT_EQ(ValuesOf(whole->graph, name), ValuesOf(resumed->graph, name)) << name;
}

}  // namespace
}  // namespace pare::train
