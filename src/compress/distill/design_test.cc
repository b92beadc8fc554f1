#include "compress/distill/design.h"

#include <gtest/gtest.h>

#include "compress/cost.h"
#include "compress/distill/testing.h"
#include "compress/prune/blocks.h"

namespace pare::compress {
namespace {

using graph::Graph;

// Three blocks with activations behind their sums; the second has the weakest weights.
constexpr std::string_view kResidual = R"(
input x: f32[N,3,4,4]
const w0: f32[32,3,1,1] = random(1, -1, 1)
const w1: f32[32,32,1,1] = random(2, -1, 1)
const w2: f32[32,32,1,1] = random(3, -0.1, 0.1)
const w3: f32[32,32,1,1] = random(4, -1, 1)
const wy: f32[2,32,1,1] = random(5, -1, 1)
stem = Conv(x, w0)
r0 = Relu(stem)
f1 = Conv(r0, w1)
s1 = Add(r0, f1)
r1 = Relu(s1)
f2 = Conv(r1, w2)
s2 = Add(f2, r1)
r2 = Relu(s2)
f3 = Conv(r2, w3)
s3 = Add(f3, r2)
r3 = Relu(s3)
y = Conv(r3, wy)
output y
)";

TEST(ResidualBlocks, AreFoundWithTheActivationThatFollows) {
  const Graph graph = GraphOf(kResidual);
  const auto blocks = FindBlocks(graph);
  ASSERT_EQ(blocks.size(), 3u);
  EXPECT_EQ(blocks[1].name, "s2");
  EXPECT_EQ(graph.value(blocks[1].in).name, "r1");
  EXPECT_EQ(graph.value(blocks[1].out).name, "r2");
  EXPECT_EQ(blocks[0].stage, blocks[2].stage);
  EXPECT_LT(blocks[1].importance, blocks[0].importance);
  const auto smaller = RemoveBlocks(graph, {blocks[0], blocks[1]});
  ASSERT_TRUE(smaller) << smaller.error().message();
  EXPECT_EQ(smaller->Order().size(), 6u);
  EXPECT_EQ(smaller->value(smaller->producer_of(smaller->FindValue("f3"))->inputs[0]).name, "r0");
}

TEST(ResidualBlocks, OfAnEncoderTakeTheirNormalisationAlong) {
  const Graph graph = GraphOf(R"(
input x: f32[N,4,8]
const scale: f32[8] = fill(1)
const w1: f32[8,8] = random(1, -1, 1)
const w2: f32[8,8] = random(2, -1, 1)
n0 = LayerNormalization(x, scale)
f1 = MatMul(n0, w1)
s1 = Add(f1, n0)
n1 = LayerNormalization(s1, scale)
f2 = MatMul(n1, w2)
s2 = Add(f2, n1)
n2 = LayerNormalization(s2, scale)
output n2 as "y"
)");
  const auto blocks = FindBlocks(graph);
  ASSERT_EQ(blocks.size(), 2u);
  const auto smaller = RemoveBlocks(graph, blocks);
  ASSERT_TRUE(smaller) << smaller.error().message();
  EXPECT_EQ(smaller->Order().size(), 1u);
  EXPECT_EQ(smaller->outputs()[0].name, "y");
}

// What is read elsewhere, what reads from elsewhere, and a shortcut that changes the shape.
TEST(ResidualBlocks, AreClosed) {
  EXPECT_TRUE(FindBlocks(GraphOf(R"(
input x: f32[N,8]
const w: f32[8,8] = random(1, -1, 1)
h = MatMul(x, w)
f = MatMul(h, w)
s = Add(h, f)
output s
output f
)"))
                  .empty());
  EXPECT_TRUE(FindBlocks(GraphOf(R"(
input x: f32[N,8]
const w: f32[8,8] = random(1, -1, 1)
a = MatMul(x, w)
b = Tanh(x)
m = Mul(a, b)
g = MatMul(m, w)
s = Add(a, g)
output s
)"))
                  .empty());
}

TEST(Design, RoundsWidths) {
  EXPECT_EQ(DesignedUnits(64, 1, 0.5), 32);
  EXPECT_EQ(DesignedUnits(64, 1, 0.7), 48);
  EXPECT_EQ(DesignedUnits(16, 1, 0.7), 12);  // 8 would be half
  EXPECT_EQ(DesignedUnits(16, 1, 0.5), 8);
  EXPECT_EQ(DesignedUnits(16, 1, 0.1), 4);
  EXPECT_EQ(DesignedUnits(10, 1, 0.7), 7);
  EXPECT_EQ(DesignedUnits(6, 1, 0.1), 4);
  EXPECT_EQ(DesignedUnits(3, 1, 0.5), 3);
  EXPECT_EQ(DesignedUnits(12, 64, 0.5), 6);  // heads
  EXPECT_EQ(DesignedUnits(2, 32, 0.1), 1);
  EXPECT_EQ(DesignedUnits(100, 1, 1), 100);
}

TEST(Design, NarrowsGroupsAndDropsTheWeakestBlocks) {
  const Graph graph = GraphOf(kResidual);
  const auto design = MakeDesign(graph, {.width = 0.5, .depth = 0.67, .keep = {}});
  ASSERT_TRUE(design) << design.error().message();
  EXPECT_EQ(design->removed_blocks, std::vector<std::string>{"s2"});
  EXPECT_EQ(design->graph.value(design->graph.FindValue("w3")).data.shape(), (Dims{16, 16, 1, 1}));
  ASSERT_EQ(design->groups.size(), 2u);
  EXPECT_EQ(design->groups[0].after, 16);
  EXPECT_EQ(design->groups[1].why_not, "it is the model's output y");
}

// The second block has the weakest weights, and would go first.
TEST(Design, KeepsTheBlocksOfWhatIsNamed) {
  const auto design = MakeDesign(GraphOf(kResidual), {.width = 1, .depth = 0.34, .keep = {"w2"}});
  ASSERT_TRUE(design) << design.error().message();
  EXPECT_TRUE(design->graph.value(design->graph.FindValue("w2")).data);
  EXPECT_EQ(design->removed_blocks.size(), 1u);
}

TEST(Design, KeepsWhatIsNamedAndRefusesNamesOfNothing) {
  const Graph graph = GraphOf(kResidual);
  const auto kept = MakeDesign(graph, {.width = 0.5, .depth = 1, .keep = {"w1"}});
  ASSERT_TRUE(kept) << kept.error().message();
  EXPECT_EQ(kept->groups[0].after, 32);
  const auto refused = MakeDesign(graph, {.width = 0.5, .depth = 1, .keep = {"conv*"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kUsage);
}

TEST(Design, RefusesQuantizedModels) {
  const auto refused = MakeDesign(GraphOf(R"(
input x: f32[N,8]
const w: i8[8,8] = fill(1)
const scale: f32[] = fill(0.1)
d = DequantizeLinear(w, scale)
y = MatMul(x, d)
output y
)"),
                                  {.width = 0.5, .depth = 1, .keep = {}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kUnsupported);
}

constexpr auto MacsOf = [](const Graph& graph) -> Result<double> {
  const Dims shape{1, 3, 4, 4};
  PARE_ASSIGN(const ModelCost cost, CostOf(graph, std::span(&shape, 1)));
  return static_cast<double>(cost.macs);
};

// Five layers of 16: one width for all is 12 or 8 channels, 0.56 or 0.25 of the products.
constexpr std::string_view kAlike = R"(
input x: f32[N,3,4,4]
const w0: f32[16,3,1,1] = random(1, -1, 1)
const w1: f32[16,16,1,1] = random(2, -1, 1)
const w2: f32[16,16,1,1] = random(3, -1, 1)
const w3: f32[16,16,1,1] = random(4, -1, 1)
const w4: f32[16,16,1,1] = random(5, -1, 1)
const wy: f32[2,16,1,1] = random(6, -1, 1)
h0 = Conv(x, w0)
h1 = Conv(h0, w1)
h2 = Conv(h1, w2)
h3 = Conv(h2, w3)
h4 = Conv(h3, w4)
y = Conv(h4, wy)
output y
)";

TEST(Design, SearchSpendsTheTargetGroupByGroup) {
  const Graph graph = GraphOf(kAlike);
  SilentProgress silent;
  const double whole = MacsOf(graph).value();
  for (const double part : {0.3, 0.4, 0.5, 0.7, 0.9}) {
    const auto found = SearchDesign(graph, {}, 1.0, {part * whole, "MACs"}, MacsOf, silent);
    ASSERT_TRUE(found) << found.error().message();
    const double macs = MacsOf(found->graph).value();
    EXPECT_EQ(found->cost, macs);
    EXPECT_LE(macs, part * whole);
    EXPECT_GE(macs, 0.85 * part * whole) << part;
    for (const DesignedGroup& group : found->groups) {
      if (group.why_not.empty()) {
        EXPECT_EQ(group.after % 4, 0) << part << ' ' << group.after;
      }
    }
  }
}

// A residual stream is one group: between 8 and 12 of 16 channels there are only single ones.
TEST(Design, SearchSpendsTheTargetOnSingleUnits) {
  std::string text(kResidual);
  for (size_t at = 0; (at = text.find("32", at)) != std::string::npos; at += 2) {
    if (at == 0 || text[at - 1] != 'f') text.replace(at, 2, "16");
  }
  const Graph graph = GraphOf(text);
  SilentProgress silent;
  const double whole = MacsOf(graph).value();
  const auto found = SearchDesign(graph, {}, 1.0, {0.5 * whole, "MACs"}, MacsOf, silent);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_LE(MacsOf(found->graph).value(), 0.5 * whole);
  EXPECT_GE(MacsOf(found->graph).value(), 0.85 * 0.5 * whole);
}

TEST(Design, SearchFindsTheWidestWithinTheTarget) {
  const Graph graph = GraphOf(kResidual);
  SilentProgress silent;
  const double whole = MacsOf(graph).value();
  EXPECT_EQ(whole, 16.0 * (3 * 32 + 3 * 32 * 32 + 2 * 32));
  const auto found = SearchDesign(graph, {}, std::nullopt, {0.3 * whole, "MACs"}, MacsOf, silent);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_LE(MacsOf(found->graph).value(), 0.3 * whole);
  EXPECT_EQ(found->groups[0].after, 16);  // 20 channels would be 0.4 of it
  EXPECT_TRUE(found->removed_blocks.empty());
  const auto impossible = SearchDesign(graph, {}, 1.0, {0.001 * whole, "MACs"}, MacsOf, silent);
  ASSERT_FALSE(impossible);
  EXPECT_EQ(impossible.error().kind(), ErrorKind::kUnmet);
}

}  // namespace
}  // namespace pare::compress
