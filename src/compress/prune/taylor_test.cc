#include "compress/prune/taylor.h"

#include "compress/prune/output_error.h"
#include "compress/prune/testing.h"

namespace pare::compress {
namespace {

using graph::Graph;

// The model without what one unit of the last group adds: the classifier's column of zeros.
Graph WithoutUnit(const Graph& model, int64_t unit) {
  Graph without = model;
  const graph::ValueId id = without.FindValue("w3");
  Tensor weights = Cast(model.value(id).data, DType::kF32).value();
  Tensor zeroed = Tensor::Make(DType::kF32, weights.shape()).value();
  for (int64_t i = 0; i < weights.count(); ++i)
    zeroed.mutable_as<float>()[i] = i % weights.shape()[1] == unit ? 0 : weights.as<float>()[i];
  without.SetConstant(id, zeroed);
  return without;
}

// What a linear layer sums over moves the outputs as its derivative says, exactly.
TEST(Taylor, IsTheErrorOfTheOutputsBehindALinearLayer) {
  const Graph model = ReadGraph(kConvChain);
  const Channels channels = Channels::Of(model);
  const CalibrationBatches samples = CalibrationOf(model, {3, 8, 8}, 64);
  const model::Context context = model::Context::Make(2);
  SilentProgress progress;
  const int groups[] = {GroupOf(channels, "a"), GroupOf(channels, "c")};
  const auto taylor = TaylorImportance(model, channels, groups, samples, 1, context, progress);
  ASSERT_TRUE(taylor) << taylor.error().message();
  const auto error = OutputError::Make(model, samples, context, progress).value();
  double told = 0, measured = 0;
  for (int64_t unit = 0; unit < 32; ++unit) {
    const double loss = error.Compare(WithoutUnit(model, unit), progress).value().relative_error();
    told += (*taylor)[1][unit];
    measured += loss;
    // Of random signs: about √(2 / 64).
    EXPECT_NEAR((*taylor)[1][unit] / loss, 1, 0.7) << unit;
  }
  EXPECT_NEAR(told / measured, 1, 0.15);
  for (double value : (*taylor)[0]) EXPECT_GT(value, 0);
}

// A normalisation stays as it infers: its statistics are those of the model, not of four samples.
TEST(Taylor, LeavesNormalisationsAsTheyInfer) {
  const Graph model = ReadGraph(R"(
input x: f32[N,2,4,4]
const w0: f32[4,2,1,1] = random(1, -1, 1)
const scale: f32[4] = fill(2)
const shift: f32[4] = fill(1)
const mean: f32[4] = fill(0)
const variance: f32[4] = fill(100)
const w1: f32[3,4,1,1] = random(2, -1, 1)
a = Conv(x, w0)
n = BatchNormalization(a, scale, shift, mean, variance)
y = Conv(n, w1)
output y
)");
  const Channels channels = Channels::Of(model);
  const CalibrationBatches samples = CalibrationOf(model, {2, 4, 4}, 512);
  const model::Context context = model::Context::Make(1);
  SilentProgress progress;
  const int group = GroupOf(channels, "a");
  const auto taylor = TaylorImportance(model, channels, {&group, 1}, samples, 1, context, progress);
  ASSERT_TRUE(taylor) << taylor.error().message();
  // With so large a variance a channel is nearly its shift, 1: the weights behind tell all.
  const auto w = model.value(model.FindValue("w1")).data.as<float>();
  double energy = 0, sums[4] = {};
  for (int k = 0; k < 3; ++k) {
    double y = 0;
    for (int unit = 0; unit < 4; ++unit) {
      y += w[k * 4 + unit];
      sums[unit] += double{w[k * 4 + unit]} * w[k * 4 + unit];
    }
    energy += y * y;
  }
  for (int unit = 0; unit < 4; ++unit)
    EXPECT_NEAR((*taylor)[0][unit] / (sums[unit] / energy), 1, 0.25) << unit;
}

}  // namespace
}  // namespace pare::compress
