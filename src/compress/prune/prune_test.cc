#include "compress/prune/prune.h"

#include "compress/cost.h"
#include "compress/prune/candidates.h"
#include "compress/prune/depth.h"
#include "compress/prune/elimination.h"
#include "compress/prune/sensitivity.h"
#include "compress/prune/testing.h"

namespace pare::compress {
namespace {

using graph::Graph;

class PruneTest : public ::testing::Test {
 protected:
  Pruner Make(const Graph& graph, PruneOptions options) {
    auto pruner =
        Pruner::Make(graph, options, NeedsSamples(options.importance) ? &samples_ : nullptr,
                     context_, progress_);
    EXPECT_TRUE(pruner) << pruner.error().message();
    return *std::move(pruner);
  }
  double MacsOf(const Graph& graph) {
    return static_cast<double>(CostOf(graph, shapes_).value().macs);
  }
  // Units that stay of the groups named a, b, c.
  std::vector<int64_t> Widths(const Pruned& pruned) {
    std::vector<int64_t> widths;
    for (const PruneGroup& group : pruned.groups) widths.push_back(group.after);
    return widths;
  }

  const Graph graph_ = ReadGraph(kConvChain);
  const PruneSamples samples_{CalibrationOf(graph_, {3, 8, 8}, 24),
                              CalibrationOf(graph_, {3, 8, 8}, 8)};
  const model::Context context_ = model::Context::Make(2);
  const std::vector<Dims> shapes_{{1, 3, 8, 8}};
  SilentProgress progress_;
};

TEST_F(PruneTest, PlannedMacsAreThoseOfTheGraph) {
  const Channels channels = Channels::Of(graph_);
  const auto costs = ChannelCosts::Macs(graph_, channels, shapes_);
  ASSERT_TRUE(costs);
  EXPECT_DOUBLE_EQ(costs->whole(), MacsOf(graph_));
  const KeptUnits kept[] = {{GroupOf(channels, "a"), {1, 2, 3, 30}},
                            {GroupOf(channels, "c"), {0, 7, 9}}};
  auto widths = costs->all_units();
  widths[kept[0].group] = 4;
  const double before = costs->Of(widths), gain = costs->Gain(widths, kept[1].group, 3);
  widths[kept[1].group] = 3;
  EXPECT_DOUBLE_EQ(gain, before - costs->Of(widths));
  EXPECT_DOUBLE_EQ(costs->Of(widths), MacsOf(RemoveChannels(graph_, channels, kept).value()));
}

TEST_F(PruneTest, TargetsAreMetByEveryImportanceAndScope) {
  for (Importance importance :
       {Importance::kReconstruction, Importance::kActivation, Importance::kTaylor, Importance::kL1,
        Importance::kL2, Importance::kBatchNorm, Importance::kGeometricMedian,
        Importance::kRandom}) {
    for (PruneScope scope : {PruneScope::kGlobal, PruneScope::kLayer}) {
      PruneOptions options;
      options.importance = importance;
      options.scope = scope;
      const Pruner pruner = Make(graph_, options);
      const auto costs = ChannelCosts::Macs(graph_, pruner.channels(), shapes_).value();
      const auto pruned = pruner.Cut({costs}, 0.5 * costs.whole());
      ASSERT_TRUE(pruned) << pruned.error().message();
      const double macs = MacsOf(pruned->graph);
      EXPECT_LE(macs, 0.5 * costs.whole()) << ImportanceName(importance);
      EXPECT_GT(macs, 0.3 * costs.whole()) << ImportanceName(importance);
      for (const PruneGroup& group : pruned->groups) {
        EXPECT_TRUE(!group.prunable || group.after % 8 == 0) << group.name;
      }
    }
  }
}

TEST_F(PruneTest, SizeAndUnevenWidths) {
  PruneOptions options;
  options.portable = false;
  const Pruner pruner = Make(graph_, options);
  const auto costs = ChannelCosts::Bytes(graph_, pruner.channels());
  const auto pruned = pruner.Cut({costs}, 0.5 * costs.whole());
  ASSERT_TRUE(pruned) << pruned.error().message();
  double bytes = 0;
  for (size_t i = 0; i < pruned->graph.value_count(); ++i) {
    const auto& value = pruned->graph.value(static_cast<graph::ValueId>(i));
    if (value.data && !value.uses.empty()) bytes += static_cast<double>(value.data.bytes());
  }
  EXPECT_LE(bytes, 0.5 * costs.whole());
  EXPECT_GT(bytes, 0.48 * costs.whole());
}

TEST_F(PruneTest, KeepPatternsHold) {
  PruneOptions options;
  options.keep = {"w1", "c"};
  const Pruner pruner = Make(graph_, options);
  const auto costs = ChannelCosts::Macs(graph_, pruner.channels(), shapes_).value();
  const auto pruned = pruner.Cut({costs}, 0.9 * costs.whole());
  ASSERT_TRUE(pruned) << pruned.error().message();
  const auto widths = Widths(*pruned);
  EXPECT_LT(widths[0], 32);
  EXPECT_EQ(widths[1], 48);
  EXPECT_EQ(widths[2], 32);
  const auto unmet = pruner.Cut({costs}, 0.1 * costs.whole());
  ASSERT_FALSE(unmet);
  EXPECT_EQ(unmet.error().kind(), ErrorKind::kUnmet);
  EXPECT_EQ(unmet.error().advice(),
            "give a larger target; fewer --keep leave more to cut; --no-portable allows any width");
  options.keep.clear();
  options.portable = false;
  const auto all = Make(graph_, options).Cut({costs}, 0.001 * costs.whole());
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().advice(), "give a larger target");
  options.keep = {"nothing"};
  EXPECT_FALSE(Pruner::Make(graph_, options, &samples_, context_, progress_));
}

TEST_F(PruneTest, RealCostsBendThePlan) {
  const Pruner pruner = Make(graph_, {});
  const auto costs = ChannelCosts::Macs(graph_, pruner.channels(), shapes_).value();
  // Half as much again as planned, on top of what can't go.
  const auto real = [&](const Graph& graph) -> Result<double> {
    return 1.5 * MacsOf(graph) + 0.1 * costs.whole();
  };
  const double limit = 0.8 * costs.whole();
  const auto pruned = pruner.CutTo({costs}, limit, real, Pruner::Uncut::kMayDo, progress_);
  ASSERT_TRUE(pruned) << pruned.error().message();
  EXPECT_LE(pruned->cost, limit);
  EXPECT_GT(pruned->cost, 0.8 * limit);
  EXPECT_DOUBLE_EQ(pruned->cost, real(pruned->graph).value());
}

// A clock that errs by more than the target asks for.
TEST_F(PruneTest, NothingCutIsNoAnswerWhereTheModelIsKnownToCostMore) {
  const Pruner pruner = Make(graph_, {});
  const auto costs = ChannelCosts::Macs(graph_, pruner.channels(), shapes_).value();
  const double limit = 0.9 * costs.whole();
  const auto flattering = [&](const Graph& graph) -> Result<double> { return 0.8 * MacsOf(graph); };
  using Uncut = Pruner::Uncut;
  const auto whole = pruner.CutTo({costs}, limit, flattering, Uncut::kMayDo, progress_);
  const auto cut = pruner.CutTo({costs}, limit, flattering, Uncut::kIsNoAnswer, progress_);
  ASSERT_TRUE(whole && cut);
  EXPECT_TRUE(whole->whole());
  EXPECT_FALSE(cut->whole());
  EXPECT_LE(cut->cost, limit);
}

TEST(Prune, InexactGroupsAreCutOnlyWhereThatIsAllowed) {
  const Graph graph = ReadGraph(R"(
input x: f32[N,4,16]
const w0: f32[16,32] = random(1, -1, 1)
const scale: f32[32] = fill(1)
const w1: f32[32,8] = random(2, -1, 1)
a = MatMul(x, w0)
n = LayerNormalization(a, scale)
y = MatMul(n, w1)
output y
)");
  SilentProgress progress;
  const model::Context context = model::Context::Make(1);
  PruneOptions options;
  options.importance = Importance::kL1;
  const auto listed = ListGroups(graph, Channels::Of(graph), options);
  ASSERT_TRUE(listed);
  EXPECT_FALSE((*listed)[0].exact);
  const auto refused = Pruner::Make(graph, options, nullptr, context, progress);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kUsage);
  options.allow_inexact = true;
  const auto pruner = Pruner::Make(graph, options, nullptr, context, progress);
  ASSERT_TRUE(pruner) << pruner.error().message();
  const Dims shape{1, 4, 16};
  const auto costs = ChannelCosts::Macs(graph, pruner->channels(), {&shape, 1}).value();
  const auto pruned = pruner->Cut({costs}, 0.5 * costs.whole());
  ASSERT_TRUE(pruned) << pruned.error().message();
  EXPECT_EQ(pruned->groups[0].after, 16);
}

TEST(Prune, QuantizedModelsAreRefused) {
  const Graph graph = ReadGraph(R"(
input x: f32[N,3,8,8]
const s: f32[] = 0.1
const z: u8[] = 3
const w: f32[8,3,1,1] = random(1, -1, 1)
const w1: f32[2,8,1,1] = random(1, -1, 1)
q = QuantizeLinear(x, s, z)
d = DequantizeLinear(q, s, z)
a = Conv(d, w)
y = Conv(a, w1)
output y
)");
  const auto listed = ListGroups(graph, Channels::Of(graph), {});
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().kind(), ErrorKind::kUnsupported);
  EXPECT_NE(listed.error().advice().find("float model"), std::string::npos);
}

TEST_F(PruneTest, SensitivityGrowsWithWhatIsGone) {
  const auto ms = [&](const Graph& graph) -> Result<double> { return MacsOf(graph); };
  PruneOptions options;
  options.keep = {"w2"};
  const auto groups = MeasureSensitivity(graph_, options, samples_, context_, ms, progress_);
  ASSERT_TRUE(groups) << groups.error().message();
  ASSERT_EQ(groups->size(), 2u);
  EXPECT_EQ((*groups)[1].name, "b");
  for (const GroupSensitivity& group : *groups) {
    ASSERT_EQ(group.points.size(), 3u);  // of the four asked for, two are the same width
    for (size_t i = 1; i < group.points.size(); ++i) {
      EXPECT_GT(group.points[i].gone, group.points[i - 1].gone);
      EXPECT_GT(group.points[i].error, group.points[i - 1].error);
      EXPECT_LT(group.points[i].ms, group.points[i - 1].ms);
    }
  }
}

TEST(Prune, TheBlockThatMattersLeastGoesFirst) {
  const Graph graph = ReadGraph(kThreeBlocks);
  const CalibrationBatches probe = CalibrationOf(graph, {3, 6, 6}, 8);
  const model::Context context = model::Context::Make(2);
  SilentProgress progress;
  const auto error = OutputError::Make(graph, probe, context, progress);
  ASSERT_TRUE(error) << error.error().message();
  const auto one = RemoveLeastBlocks(graph, 2.0 / 3, {}, *error, progress);
  ASSERT_TRUE(one) << one.error().message();
  EXPECT_EQ(one->blocks, 3);
  EXPECT_EQ(one->removed, (std::vector<std::string>{"s2"}));
  EXPECT_LT(one->error, 1e-4);
  const auto two = RemoveLeastBlocks(graph, 0.1, {}, *error, progress);
  ASSERT_TRUE(two) << two.error().message();
  EXPECT_EQ(two->removed.size(), 2u);
  EXPECT_GT(two->error, one->error);
  const auto kept = RemoveLeastBlocks(graph, 2.0 / 3, {"w2"}, *error, progress);
  ASSERT_TRUE(kept) << kept.error().message();
  ASSERT_EQ(kept->removed.size(), 1u);
  EXPECT_NE(kept->removed[0], "s2");
}

TEST(Prune, WidthsAreWhatEnginesLike) {
  EXPECT_EQ(WidthsOf(40, 1, true), (std::vector<int64_t>{40, 32, 24, 16, 8}));
  EXPECT_EQ(WidthsOf(20, 1, true), (std::vector<int64_t>{20, 16, 12, 8, 4}));
  EXPECT_EQ(WidthsOf(6, 1, false), (std::vector<int64_t>{6, 5, 4}));
  EXPECT_EQ(WidthsOf(4, 64, true), (std::vector<int64_t>{4, 3, 2, 1}));
  EXPECT_EQ(WidthsOf(3, 1, true), (std::vector<int64_t>{3}));
}

// Columns 0 and 1 are the same; 2 is worth little by itself, but nothing stands in for it.
TEST(Elimination, LeastSquaresSeesWhatOthersCanStandInFor) {
  Moments x(3, 0);
  Random random(1);
  for (x.rows = 0; x.rows < 100; ++x.rows) {
    const double shared = 2 * random.Normal(), own = random.Normal();
    const double row[] = {shared, shared + 1e-3 * random.Normal(), own};
    for (int i = 0; i < 3; ++i) {
      x.x[i] += row[i];
      for (int k = 0; k < 3; ++k) x.xx[i * 3 + k] += row[i] * row[k];
    }
  }
  const std::vector<SummingLayer> layers{
      {.x = x, .weights = {1, 1, 1}, .bias = true, .columns = {{0}, {1}, {2}}}};
  EXPECT_EQ(EliminateByContribution(layers, 3, {}).order[0], 2);
  const Elimination best = EliminateByLeastSquares(layers, 3, 2, std::vector<int64_t>{1});
  EXPECT_NE(best.order[0], 2);
  EXPECT_LT(best.loss[1], 1e-3);
  // The second of the pair is all that is left of most of the output.
  EXPECT_EQ(best.order[1], 2);
  EXPECT_GT(best.loss[2], 0.02);
  EXPECT_TRUE(std::isinf(best.loss[3]));
  // The other one took over, and the bias what differs in the mean.
  const Matrix& weights = best.weights[0][0];
  EXPECT_NEAR(weights[1 - best.order[0]], 2, 0.05);
  EXPECT_EQ(weights[best.order[0]], 0);
  double mean = 0;
  for (int i = 0; i < 3; ++i) mean += x.x[i] / 100 * (1 - weights[i]);
  EXPECT_DOUBLE_EQ(BiasShift(layers[0], weights)[0], mean);
}

}  // namespace
}  // namespace pare::compress
