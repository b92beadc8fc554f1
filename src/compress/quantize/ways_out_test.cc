#include "compress/quantize/ways_out.h"

#include <gtest/gtest.h>

#include "graph/text.h"

namespace pare::compress {
namespace {

// Products at both ends; between them layers without weights, and moves.
graph::Graph Between() {
  auto graph = graph::Parse(R"(
input x: f32[4,4]
const w: f32[4,4] = random(1, -1, 1)
const v: f32[4,4] = random(2, -1, 1)
a: f32[4,4] = MatMul(x, w)
far: f32[4,4] = Add(a, x)
near: f32[4,4] = Add(far, a)
moved: f32[4,4] = Transpose(near) {perm=[1,0]}
slow: f32[4,4] = Mul(moved, moved)
behind: f32[4,4] = Add(slow, moved)
y: f32[4,4] = MatMul(behind, v)
output y
)");
  EXPECT_TRUE(graph) << graph.error().message();
  return *graph;
}

std::vector<std::string> Names(const WhyFloat& layers) {
  std::vector<std::string> names;
  for (const auto& [name, why] : layers) names.push_back(name);
  return names;
}
using Set = std::vector<std::string>;

// Beside giving back nothing, and the slower ones alone.
std::vector<WhyFloat> NewWays(const graph::Graph& graph, const Scheme& scheme, const WhyFloat& slow,
                              const LayerTimes& in_float, const LayerTimes& in_int8, double ms) {
  std::vector<WhyFloat> ways{{}, slow};
  AddWaysOut(graph, scheme, slow, in_float, in_int8, ms, ways);
  ways.erase(ways.begin(), ways.begin() + 2);
  return ways;
}

TEST(WaysOut, GrowFromTheSlowerLayersToAllThatAreNotFaster) {
  const graph::Graph graph = Between();
  const Scheme scheme = MakeScheme(graph, {});
  const LayerTimes in_float{{"a", 4},    {"far", 1},    {"near", 1},
                            {"slow", 1}, {"behind", 1}, {"y", 4}};
  const LayerTimes in_int8{{"a", 1}, {"far", 1}, {"near", 1}, {"slow", 3}, {"behind", 1}, {"y", 5}};
  const WhyFloat slow{{"slow", "slow"}};
  const auto ways = NewWays(graph, scheme, slow, in_float, in_int8, 12);
  ASSERT_EQ(ways.size(), 3u);
  EXPECT_EQ(Names(ways[0]), (Set{"behind", "near", "slow"}));
  EXPECT_EQ(Names(ways[1]), (Set{"behind", "far", "near", "slow"}));
  EXPECT_EQ(Names(ways[2]), (Set{"behind", "far", "near", "slow", "y"}));
  for (const WhyFloat& way : ways) EXPECT_EQ(way.at("slow"), "slow");
  EXPECT_EQ(
      ways[2].at("y"),
      "int8 is not clearly faster here, and the model is slower with it: 5 ms against 4 ms in "
      "float");
}

// What one layer loses can be no more than a trifle, and all of them together much.
TEST(WaysOut, WithoutASlowerLayerThereIsTheLastOne) {
  const graph::Graph graph = Between();
  const Scheme scheme = MakeScheme(graph, {});
  const LayerTimes in_float{{"a", 4}, {"y", 4}}, in_int8{{"a", 1}, {"y", 3.9}};
  const auto ways = NewWays(graph, scheme, {}, in_float, in_int8, 12);
  ASSERT_EQ(ways.size(), 1u);
  EXPECT_EQ(Names(ways[0]), (Set{"behind", "far", "near", "slow", "y"}));
}

TEST(WaysOut, TheLastKeepsNoFasterLayerWithoutWeights) {
  const graph::Graph graph = Between();
  const Scheme scheme = MakeScheme(graph, {});
  const LayerTimes in_float{{"a", 4}, {"near", 2}, {"y", 4}};
  const LayerTimes in_int8{{"a", 1}, {"near", 1}, {"y", 1}};
  const auto ways = NewWays(graph, scheme, {}, in_float, in_int8, 12);
  ASSERT_EQ(ways.size(), 1u);
  EXPECT_EQ(Names(ways[0]), (Set{"behind", "far", "near", "slow"}));
}

TEST(WaysOut, SlowerIsWhatFloatComputesWithinAnotherLayer) {
  const Scheme scheme = MakeScheme(Between(), {});
  const LayerTimes in_float{{"a", 4}, {"slow", 1}};
  const LayerTimes in_int8{{"a", 1}, {"near", 1}, {"slow", 2}, {"y", 1}};  // y has weights
  EXPECT_EQ(Names(SlowerWhereFused(scheme, in_float, in_int8, 12)), (Set{"near", "slow"}));
}

TEST(WaysOut, StartWithTheSlowerLayersWhereThoseWereNotTried) {
  const graph::Graph graph = Between();
  std::vector<WhyFloat> ways;
  AddWaysOut(graph, MakeScheme(graph, {}), {{"slow", ""}}, {}, {}, 12, ways);
  ASSERT_EQ(ways.size(), 4u);
  EXPECT_EQ(Names(ways[0]), Set{"slow"});
}

TEST(WaysOut, NoneIsTheSameAsTheSlowerLayersAlone) {
  const graph::Graph graph = Between();
  const Scheme scheme = MakeScheme(graph, {});
  const LayerTimes in_float{{"a", 4}}, in_int8{{"a", 1}};
  WhyFloat slow = NotFasterThanFloat(scheme, in_float, in_int8, 12);
  EXPECT_EQ(slow.size(), 5u);
  EXPECT_TRUE(NewWays(graph, scheme, slow, in_float, in_int8, 12).empty());
}

TEST(WaysOut, OfFormsAboutAsFastTheFirstIsTaken) {
  EXPECT_EQ(FirstOfFastest(std::vector<double>{1.4, 1.2, 1.01, 1, 1.5}), 2u);
  EXPECT_EQ(FirstOfFastest(std::vector<double>{1.02, 1}), 0u);
  EXPECT_EQ(FirstOfFastest(std::vector<double>{1.4}), 0u);
}

}  // namespace
}  // namespace pare::compress
