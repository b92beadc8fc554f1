// Cuts ordered by what layers take at their widths: here by a rule instead of a clock.
#include "compress/prune/width_times.h"

#include <numeric>

#include "compress/cost.h"
#include "compress/prune/prune.h"
#include "compress/prune/remove.h"
#include "compress/prune/testing.h"

namespace pare::compress {
namespace {

using graph::Graph;
using Milliseconds = std::map<std::string, double>;

// Of a machine whose kernels make 16 channels at a time: what a convolution sums over counts, and
// how many such blocks it makes.
double BlockTime(const Graph& graph, const graph::Node& node) {
  const Dims& weights = graph.value(node.inputs[1]).data.shape();
  const int64_t places = graph.value(node.outputs[0]).type.shape->at(2).size() *
                         graph.value(node.outputs[0]).type.shape->at(3).size();
  const int64_t taps = weights[1] * weights[2] * weights[3];
  return static_cast<double>(places * taps * ((weights[0] + 15) / 16));
}

Result<std::vector<Milliseconds>> TimeInBlocks(std::span<const Graph* const> graphs) {
  std::vector<Milliseconds> times;
  for (const Graph* graph : graphs) {
    Milliseconds& of = times.emplace_back();
    for (graph::NodeId id : graph->Order()) {
      const graph::Node& node = graph->node(id);
      if (node.op == "Conv") of[graph->value(node.outputs[0]).name] = BlockTime(*graph, node);
    }
  }
  return times;
}

double TimeOf(const Graph& graph) {
  const Graph* const one[] = {&graph};
  double sum = 0;
  const auto times = TimeInBlocks(one).value();
  for (const auto& [name, ms] : times[0]) sum += ms;
  return sum;
}

class WidthTimesTest : public ::testing::Test {
 protected:
  Pruner MakeByNorm(const Graph& graph) {
    PruneOptions options;
    options.importance = Importance::kL2;
    auto pruner = Pruner::Make(graph, options, nullptr, context_, progress_);
    EXPECT_TRUE(pruner) << pruner.error().message();
    return *std::move(pruner);
  }
  ChannelCosts Measure(const Graph& graph, const Pruner& pruner) {
    auto times = MeasureWidths(
        graph, pruner.channels(), pruner.candidates(),
        [](std::span<const Graph* const> graphs) { return TimeInBlocks(graphs); }, progress_);
    EXPECT_TRUE(times) << times.error().message();
    return *std::move(times);
  }

  const model::Context context_ = model::Context::Make(2);
  SilentProgress progress_;
};

TEST_F(WidthTimesTest, ALayerTakesWhatItsBlocksTake) {
  const Graph graph = ReadGraph(kConvChain);
  const Pruner pruner = MakeByNorm(graph);
  const ChannelCosts times = Measure(graph, pruner);
  EXPECT_DOUBLE_EQ(times.whole(), TimeOf(graph));
  const int a = GroupOf(pruner.channels(), "a"), b = GroupOf(pruner.channels(), "b");
  auto widths = times.all_units();
  const auto cut = [&](int64_t of_a, int64_t of_b) {
    const auto first = [](int64_t count) {
      std::vector<int64_t> units(static_cast<size_t>(count));
      std::iota(units.begin(), units.end(), int64_t{0});
      return units;
    };
    const KeptUnits kept[] = {{a, first(of_a)}, {b, first(of_b)}};
    return RemoveChannels(graph, pruner.channels(), kept).value();
  };
  // One group alone, both at once, and widths that are no multiples of a block.
  for (const auto& [of_a, of_b] :
       {std::pair<int64_t, int64_t>{32, 40}, {32, 32}, {24, 48}, {16, 16}, {8, 24}}) {
    widths[a] = of_a;
    widths[b] = of_b;
    EXPECT_NEAR(times.Of(widths), TimeOf(cut(of_a, of_b)), 1e-9 * times.whole())
        << of_a << ' ' << of_b;
  }
  // A width that was not measured takes as long as the next one that was.
  widths[a] = 32;
  widths[b] = 41;
  EXPECT_DOUBLE_EQ(times.Of(widths), times.whole());
}

// The first group is all blocks of 16, whose halves cost as much as they: MACs alone would cut it.
TEST_F(WidthTimesTest, CutsThatGainNoTimeComeLast) {
  const Graph graph = ReadGraph(kThreeBlocks);
  const Pruner pruner = MakeByNorm(graph);
  const Dims shape{1, 3, 6, 6};
  const auto macs = ChannelCosts::Macs(graph, pruner.channels(), {&shape, 1}).value();
  const ChannelCosts times = Measure(graph, pruner);
  const auto timed = pruner.Cut({macs, &times}, 0.7 * macs.whole());
  const auto counted = pruner.Cut({macs}, 0.7 * macs.whole());
  ASSERT_TRUE(timed && counted);
  const auto macs_of = [&](const Graph& of) { return CostOf(of, {&shape, 1}).value().macs; };
  EXPECT_LE(macs_of(timed->graph), 0.7 * macs.whole());
  EXPECT_LE(TimeOf(timed->graph), TimeOf(counted->graph));
  EXPECT_LT(TimeOf(timed->graph), 0.8 * TimeOf(graph));
}

TEST_F(WidthTimesTest, BlocksGoWhereTheyLoseLess) {
  const Graph graph = ReadGraph(kThreeBlocks);
  const PruneSamples samples{CalibrationOf(graph, {3, 6, 6}, 24),
                             CalibrationOf(graph, {3, 6, 6}, 8)};
  const Dims shape{1, 3, 6, 6};
  PruneOptions options;
  options.blocks = true;
  const auto made = Pruner::Make(graph, options, &samples, context_, progress_);
  ASSERT_TRUE(made) << made.error().message();
  const Pruner& pruner = *made;
  const auto macs = ChannelCosts::Macs(graph, pruner.channels(), {&shape, 1}).value();
  const auto macs_of = [&](const Graph& of) {
    return static_cast<double>(CostOf(of, {&shape, 1}).value().macs);
  };
  auto one = pruner.Cut({macs}, 0.7 * macs.whole());
  ASSERT_TRUE(one) << one.error().message();
  EXPECT_EQ(one->removed_blocks, (std::vector<std::string>{"s2"}));
  EXPECT_LE(macs_of(one->graph), 0.7 * macs.whole());
  EXPECT_FALSE(one->graph.node(graph.value(graph.FindValue("i2")).producer).live);
  // The block alone is enough: all widths stay, but those of what it held.
  for (const PruneGroup& group : one->groups)
    EXPECT_EQ(group.after, group.name == "i2" ? 0 : group.size) << group.name;
  // More than blocks: widths go, too, and the layers that are left are fitted.
  auto more = pruner.Cut({macs}, 0.4 * macs.whole());
  ASSERT_TRUE(more) << more.error().message();
  EXPECT_LE(macs_of(more->graph), 0.4 * macs.whole());
  ASSERT_FALSE(more->removed_blocks.empty());
  const auto fitted = pruner.Refit(graph, *more, samples.fit, context_, progress_);
  ASSERT_TRUE(fitted) << fitted.error().message();
  for (const RefittedLayer& layer : fitted->layers) {
    EXPECT_NE(layer.name, "i2");
    EXPECT_LE(layer.error_after, layer.error_before);
  }
}

TEST(WidthsToMeasure, AreEvenlyApartAndHoldTheLeast) {
  EXPECT_EQ(WidthsToMeasure({32, 24, 16, 8}, 12), (std::vector<int64_t>{24, 16, 8}));
  std::vector<int64_t> wide;
  for (int64_t width = 256; width >= 32; width -= 8) wide.push_back(width);
  const auto chosen = WidthsToMeasure(wide, 12);
  EXPECT_LE(chosen.size(), 12u);
  EXPECT_EQ(chosen.back(), 32);
  for (int64_t width : chosen) EXPECT_EQ(width % 16, 0) << width;
  EXPECT_TRUE(WidthsToMeasure({7}, 12).empty());
}

}  // namespace
}  // namespace pare::compress
