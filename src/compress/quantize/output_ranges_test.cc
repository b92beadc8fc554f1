// Ranges give up what the outputs don't depend on, and keep what they do.
#include "compress/quantize/output_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "graph/text.h"
#include "passes/pipeline.h"

namespace pare::compress {
namespace {

constexpr int64_t kChannels = 8;

TEST(RangeCosts, AreThoseOfRoundingAndOfTheSumThatIsCut) {
  std::mt19937 engine(3);
  std::normal_distribution<float> normal;
  std::vector<float> x, g;
  for (int i = 0; i < 500; ++i) {
    x.push_back(i % 5 == 0 ? 0 : normal(engine));
    g.push_back(normal(engine));
  }
  const Range seen{*std::min_element(x.begin(), x.end()), *std::max_element(x.begin(), x.end())};
  RangeCosts costs(seen);
  costs.Add(x, g, 3);  // each stands for three
  const double parts = RangeCosts::kParts;
  for (const auto& [low, high] : {std::pair(48, 48), {20, 48}, {48, 12}, {16, 30}}) {
    const Range range{static_cast<float>(seen.lo * low / parts),
                      static_cast<float>(seen.hi * high / parts)};
    double squares = 0, cut = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i] != 0) squares += 3.0 * g[i] * g[i];
      cut += 3.0 * g[i] * (std::clamp(x[i], range.lo, range.hi) - x[i]);
    }
    const double step = (double{range.hi} - range.lo) / 255;
    const double expected = step * step / 12 * squares + 2 * cut * cut;
    // Limits lie within a part of where an element falls by rounding.
    EXPECT_NEAR(costs.Of(low, high), expected, 1e-3 * expected) << low << " " << high;
  }
}

TEST(RangeCosts, OfNothingLeaveWhatWasSeen) {
  const Range best = RangeCosts({-2, 3}).Best();
  EXPECT_EQ(best.lo, -2);
  EXPECT_EQ(best.hi, 3);
}

class OutputRangesTest : public ::testing::Test {
 protected:
  // The ranges of y = Relu(x)·W, where the first channel of x is forty times the others, and the
  // first row of W is `first`.
  Result<std::map<std::string, Range>> Ranges(float first, int64_t samples,
                                              std::string_view output = "y") {
    auto graph =
        graph::Parse(Text("input x: f32[n,8]\nconst w: f32[8,3] = random(1, -1, 1)\na = Relu(x)\n"
                          "y = MatMul(a, w)\nk = ArgMax(y) {axis=1}\noutput ",
                          output, "\n"));
    EXPECT_TRUE(graph) << graph.error().message();
    const graph::ValueId w = graph->FindValue("w");
    Tensor weights = Tensor::Make(DType::kF32, {8, 3}).value();
    std::ranges::copy(graph->value(w).data.as<float>(), weights.mutable_as<float>().begin());
    std::ranges::fill(weights.mutable_as<float>().subspan(0, 3), first);
    graph->SetConstant(w, weights);
    EXPECT_TRUE(passes::Simplify(*graph));
    const std::vector<graph::ValueId> values = {graph->FindValue("a")};
    std::vector<data::Loader> loaders;
    loaders.push_back(Samples(*graph, samples));
    const Statistics statistics = Collect(
                                      *graph, values, loaders, context_, kFewPositions,
                                      [](size_t, data::Batch, std::vector<Tensor>) {}, progress_)
                                      .value();
    loaders[0].Rewind();
    return RangesByOutputs(*graph, values, statistics, std::vector{1.0}, loaders[0], context_,
                           progress_);
  }

 private:
  static data::Loader Samples(const graph::Graph& graph, int64_t count) {
    Tensor x = Tensor::Make(DType::kF32, {count, kChannels}).value();
    std::mt19937 engine(7);
    std::normal_distribution<float> normal;
    const auto values = x.mutable_as<float>();
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = normal(engine) * (i % kChannels == 0 ? 40.0f : 1.0f);
    std::vector<int64_t> indices;
    for (int64_t i = 0; i < count; ++i) indices.push_back(i);
    return data::Loader::Make(data::DatasetOf({{"", x}}, {}).value(), model::InputSpecs(graph),
                              std::move(indices), {.batch = 4, .preprocess = {}, .prefetch = false})
        .value();
  }

  model::Context context_ = model::Context::Make(2);
  SilentProgress progress_;
};

TEST_F(OutputRangesTest, CutAChannelThatNothingReads) { EXPECT_LT(Ranges(0, 64)->at("a").hi, 10); }

TEST_F(OutputRangesTest, KeepAChannelThatTheOutputsFollow) {
  EXPECT_GT(Ranges(1, 64)->at("a").hi, 60);
}

TEST_F(OutputRangesTest, AreRefusedOfFewSamples) {
  const auto ranges = Ranges(0, 20);
  ASSERT_FALSE(ranges);
  EXPECT_EQ(ranges.error().kind(), ErrorKind::kUnsupported);
}

TEST_F(OutputRangesTest, AreRefusedWithoutFloatOutputs) {
  const auto ranges = Ranges(0, 64, "k");
  ASSERT_FALSE(ranges);
  EXPECT_EQ(ranges.error().kind(), ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace pare::compress
