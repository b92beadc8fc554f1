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

// What a weight is follows from the operand it stands in, whatever its shape.
TEST(Initialize, GoesByTheOperand) {
  auto graph = graph::Parse(R"(
input x: f32[5,N,8]
const w: f32[1,128,8] = fill(5)
const r: f32[1,128,32] = fill(5)
const b: f32[1,256] = fill(5)
const gamma: f32[32] = fill(5)
const beta: f32[1,1,32] = fill(5)
const slope: f32[32] = fill(5)
const k: f32[32,8,2,2] = fill(5)
const wide: f32[16,1,1] = fill(5)
const shape: i64[4] = [-1,32,1,1]
y, _, _ = LSTM(x, w, r, b) {hidden_size=32}
m = Mul(y, gamma)
a = Add(m, beta)
p = PRelu(a, slope)
i = Reshape(p, shape)
c = ConvTranspose(i, k) {group=2, strides=[2,2]}
z = Mul(c, wide)
output z
)");
  ASSERT_TRUE(graph) << graph.error().message();
  ASSERT_TRUE(ops::InferTypes(*graph));
  const auto parameters = FindParameters(*graph, {});
  ASSERT_TRUE(parameters) << parameters.error().message();
  EXPECT_EQ(parameters->size(), 8);
  ASSERT_TRUE(InitializeWeights(*graph, *parameters, 1));
  EXPECT_NEAR(MeanSquareOf(*graph, "w"), 2.0 / 8, 0.15 * 2 / 8);
  EXPECT_NEAR(MeanSquareOf(*graph, "r"), 2.0 / 32, 0.06 * 2 / 32);
  EXPECT_NEAR(MeanSquareOf(*graph, "k"), 2.0 / 64, 0.15 * 2 / 64);
  EXPECT_EQ(MeanSquareOf(*graph, "b"), 0);
  EXPECT_EQ(MeanSquareOf(*graph, "gamma"), 1);
  EXPECT_EQ(MeanSquareOf(*graph, "beta"), 0);
  EXPECT_EQ(MeanSquareOf(*graph, "slope"), 0.0625);
  EXPECT_EQ(MeanSquareOf(*graph, "wide"), 1);
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

// What a frozen normalisation knows of its data is not forgotten.
TEST(Initialize, LeavesTheStatisticsOfFrozenNormalisations) {
  graph::Graph graph = Network();
  const auto parameters =
      FindParameters(graph, {.freeze = {"scale", "bias"}, .only = {}, .also = {}}).value();
  ASSERT_TRUE(InitializeWeights(graph, parameters, 1));
  EXPECT_EQ(MeanSquareOf(graph, "scale"), 9);
  EXPECT_EQ(MeanSquareOf(graph, "mean"), 9);
  EXPECT_EQ(MeanSquareOf(graph, "variance"), 9);
}

}  // namespace
}  // namespace pare::train
