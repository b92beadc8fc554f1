#include "train/targets.h"

#include "train/testing.h"

namespace pare::train {
namespace {

constexpr int64_t kSamples = 96;

// Of each point its two coordinates turned by a right angle: what one layer can learn.
std::shared_ptr<const data::Dataset> Turned(const data::Dataset& points) {
  Tensor values = Tensor::Make(DType::kF32, {points.size(), 2}).value();
  for (int64_t i = 0; i < points.size(); ++i) {
    const Tensor point = points.Get(i)->inputs[0].tensor;
    values.mutable_as<float>()[2 * i] = -point.as<float>()[1];
    values.mutable_as<float>()[2 * i + 1] = point.as<float>()[0];
  }
  return data::DatasetOf({{.name = "", .tensor = values}}, {}).value();
}

graph::Graph OneLayer() {
  auto graph = graph::Parse(R"(
input x: f32[N,2]
const w: f32[2,2] = random(1, -0.5, 0.5)
y = Gemm(x, w)
output y
)");
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(ops::InferTypes(*graph));
  return *graph;
}

Result<Trained> Learn(std::shared_ptr<const data::Dataset> targets, TargetLoss loss) {
  PARE_ASSIGN(const auto objective, TargetObjective::Make(std::move(targets), loss));
  SilentProgress progress;
  TrainOptions options;
  options.program.batch = 16;
  options.schedule.rate = 0.2;
  options.epochs = 20;
  return Train(OneLayer(), ThreeClouds(kSamples), FirstIndices(kSamples), {}, *objective, {},
               model::Context::Make(1), options, progress);
}

TEST(Targets, AreLearned) {
  const auto points = ThreeClouds(kSamples);
  for (const TargetLoss loss : {TargetLoss::kMse, TargetLoss::kHuber}) {
    const auto trained = Learn(Turned(*points), loss);
    ASSERT_TRUE(trained) << trained.error().message();
    const auto w = trained->graph.value(trained->graph.FindValue("w")).data.as<float>();
    const float expected[] = {0, 1, -1, 0};
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(w[i], expected[i], 0.02) << i;
  }
  const auto directions = Learn(Turned(*points), TargetLoss::kCosine);
  ASSERT_TRUE(directions) << directions.error().message();
  EXPECT_LT(directions->history.back().loss, 0.01);
  EXPECT_GT(directions->history.front().loss, 0.1);
}

TEST(Targets, AreMixedAsTheSamples) {
  const auto values =
      data::DatasetOf({{.name = "", .tensor = Tensor::Of<double>({3, 1}, {1, 2, 4})}}, {});
  TrainBatch batch;
  batch.data.indices = {2, 0};
  const Tensor plain = TargetRows(**values, batch.data.indices, {2, 1}).value();
  EXPECT_EQ(plain.as<float>()[0], 4);
  EXPECT_EQ(plain.as<float>()[1], 1);
  batch.mixture = {.partner = {1, 0}, .weight = 0.75f};
  const Tensor mixed = MixedTargets(plain, batch.mixture).value();
  EXPECT_EQ(mixed.as<float>()[0], 0.75f * 4 + 0.25f * 1);
  EXPECT_EQ(mixed.as<float>()[1], 0.75f * 1 + 0.25f * 4);
}

TEST(Targets, AreTheRunsOwn) {
  const auto of = [](float third) {
    return TargetObjective::Make(
               data::DatasetOf({{.name = "", .tensor = Tensor::Of<float>({3}, {1, 2, third})}}, {})
                   .value(),
               TargetLoss::kMse)
        .value()
        ->Identity();
  };
  EXPECT_EQ(of(3), of(3));
  EXPECT_NE(of(3), of(4));
}

TEST(Targets, SayWhatDoesNotFit) {
  const auto points = ThreeClouds(kSamples);
  const std::vector<float> zeros(3 * kSamples);
  const auto narrow =
      data::DatasetOf({{.name = "", .tensor = Tensor::Of<float>({kSamples, 3}, zeros)}}, {})
          .value();
  const auto trained = Learn(narrow, TargetLoss::kMse);
  ASSERT_FALSE(trained);
  EXPECT_NE(trained.error().message().find("has 3 values, and the model's first output 2"),
            std::string::npos)
      << trained.error().message();
  EXPECT_TRUE(CheckTargets(*narrow, *points));
  EXPECT_FALSE(CheckTargets(*narrow, *ThreeClouds(kSamples + 1)));
  EXPECT_FALSE(ParseTargetLoss("soft"));
}

}  // namespace
}  // namespace pare::train
