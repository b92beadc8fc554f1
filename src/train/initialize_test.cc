#include "train/initialize.h"

#include <cmath>

#include "train/parameters.h"
#include "train/testing.h"

namespace pare::train {
namespace {

graph::Graph Network() {
  auto graph = graph::Parse(R"(
input x: f32[N,16,8,8]
const w: f32[64,16,3,3] = fill(1)
const scale: f32[64] = fill(3)
const bias: f32[64] = fill(3)
const mean: f32[64] = fill(3)
const variance: f32[64] = fill(3)
const m: f32[64,100] = fill(1)
c = Conv(x, w)
n = BatchNormalization(c, scale, bias, mean, variance)
p = GlobalAveragePool(n)
f = Flatten(p)
y = MatMul(f, m)
output y
)");
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(ops::InferTypes(*graph));
  return *graph;
}

double MeanSquareOf(const graph::Graph& graph, const char* name) {
  double sum = 0;
  const auto values = graph.value(graph.FindValue(name)).data.as<float>();
  for (float x : values) sum += double{x} * x;
  return sum / static_cast<double>(values.size());
}

TEST(Initialize, GivesEachWeightItsSpread) {
  graph::Graph graph = Network();
  const auto parameters = FindParameters(graph, {}).value();
  ASSERT_TRUE(InitializeWeights(graph, parameters, 1));
  EXPECT_NEAR(MeanSquareOf(graph, "w"), 2.0 / (16 * 9), 0.06 * 2 / (16 * 9));
  EXPECT_NEAR(MeanSquareOf(graph, "m"), 2.0 / 64, 0.06 * 2 / 64);
  EXPECT_EQ(MeanSquareOf(graph, "scale"), 1);
  EXPECT_EQ(MeanSquareOf(graph, "bias"), 0);
  EXPECT_EQ(MeanSquareOf(graph, "mean"), 0);
  EXPECT_EQ(MeanSquareOf(graph, "variance"), 1);
}

TEST(Initialize, GivesTheSameWeightsForASeed) {
  graph::Graph a = Network(), b = Network(), c = Network();
  const auto parameters = FindParameters(a, {}).value();
  ASSERT_TRUE(InitializeWeights(a, parameters, 1));
  ASSERT_TRUE(InitializeWeights(b, parameters, 1));
  ASSERT_TRUE(InitializeWeights(c, parameters, 2));
  const auto weights = [](const graph::Graph& g) { return g.value(g.FindValue("w")).data; };
  EXPECT_TRUE(graph::SameTensor(weights(a), weights(b)));
  EXPECT_FALSE(graph::SameTensor(weights(a), weights(c)));
}

}  // namespace
}  // namespace pare::train
