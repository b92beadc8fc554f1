#include "compress/distill/separable.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "compress/cost.h"
#include "compress/distill/design.h"
#include "graph/text.h"
#include "model/model.h"

namespace pare::compress {
namespace {

using graph::Graph;

Graph Network(const std::string& text) {
  auto graph = graph::Parse(text);
  EXPECT_TRUE(graph) << graph.error().message();
  const Status status = ops::InferTypes(*graph);
  EXPECT_TRUE(status) << status.error().message();
  return *graph;
}

Tensor Normal(const Dims& shape, uint64_t seed) {
  Tensor tensor = Tensor::Make(DType::kF32, shape).value();
  Random random(seed);
  for (float& x : tensor.mutable_as<float>()) x = random.Normal();
  return tensor;
}

// Filters [out, in, k…] = pointwise [out, in] · depthwise [in, k…].
Tensor FiltersOf(const Tensor& pointwise, const Tensor& depthwise, Dims shape) {
  Tensor filters = Tensor::Make(DType::kF32, shape).value();
  const int64_t in = shape[1], taps = filters.count() / shape[0] / in;
  for (int64_t i = 0; i < filters.count(); ++i) {
    const int64_t pair = i / taps;
    filters.mutable_as<float>()[i] =
        pointwise.as<float>()[pair] * depthwise.as<float>()[pair % in * taps + i % taps];
  }
  return filters;
}

Tensor Outputs(const Graph& graph, const Tensor& x) {
  auto session = model::MakeSession(graph, model::Context::Make(1));
  EXPECT_TRUE(session) << session.error().message();
  std::vector<Tensor> outputs(1);
  const Status status = (*session)->Run(std::span(&x, 1), outputs);
  EXPECT_TRUE(status) << status.error().message();
  return outputs[0];
}

double LargestDifference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  double largest = 0;
  for (int64_t i = 0; i < std::min(a.count(), b.count()); ++i)
    largest = std::max(largest, std::abs(double{a.as<float>()[i]} - b.as<float>()[i]));
  return largest;
}

TEST(SeparateFilters, FindsWhatPairsMade) {
  for (const Dims& shape :
       {Dims{6, 4, 3, 3}, Dims{5, 3, 7}, Dims{2, 2, 1, 5}, Dims{3, 2, 2, 2, 2}}) {
    Dims depthwise = shape, pointwise(shape.size(), 1);
    depthwise[0] = pointwise[1] = shape[1];
    depthwise[1] = 1;
    pointwise[0] = shape[0];
    const Tensor filters = FiltersOf(Normal(pointwise, 1), Normal(depthwise, 2), shape);
    const auto pair = SeparateFilters(filters);
    ASSERT_TRUE(pair) << pair.error().message();
    EXPECT_EQ(pair->depthwise.shape(), depthwise);
    EXPECT_EQ(pair->pointwise.shape(), pointwise);
    EXPECT_NEAR(pair->explained, 1, 1e-6);
    EXPECT_LT(LargestDifference(FiltersOf(pair->pointwise, pair->depthwise, shape), filters), 1e-5);
  }
}

// Against alternating least squares from random filters, which can only climb to the same place.
TEST(SeparateFilters, AreTheNearest) {
  constexpr int64_t kOut = 12, kIn = 5, kTaps = 9;
  const Tensor filters = Normal({kOut, kIn, 3, 3}, 3);
  const auto pair = SeparateFilters(filters);
  ASSERT_TRUE(pair);
  const auto w = filters.as<float>();
  double all = 0, has = 0;
  for (float x : w) all += double{x} * x;
  for (int64_t c = 0; c < kIn; ++c) {
    double best = 0;
    Random random(static_cast<uint64_t>(c));
    for (int start = 0; start < 3; ++start) {
      std::vector<double> d(kTaps), p(kOut);
      for (double& x : d) x = random.Normal();
      double norm = 0;
      for (int step = 0; step < 2000; ++step) {
        double length = 0;
        for (double x : d) length += x * x;
        for (double& x : d) x /= std::sqrt(length);
        norm = 0;
        for (int64_t o = 0; o < kOut; ++o) {
          p[o] = 0;
          for (int64_t i = 0; i < kTaps; ++i) p[o] += w[(o * kIn + c) * kTaps + i] * d[i];
          norm += p[o] * p[o];
        }
        for (int64_t i = 0; i < kTaps; ++i) {
          d[i] = 0;
          for (int64_t o = 0; o < kOut; ++o) d[i] += w[(o * kIn + c) * kTaps + i] * p[o] / norm;
        }
      }
      best = std::max(best, norm);
    }
    has += best;
  }
  EXPECT_NEAR(pair->explained, has / all, 1e-6);
  EXPECT_LT(pair->explained, 0.6);
}

TEST(SeparateFilters, BearsFiltersOfZerosAndNarrowTypes) {
  const auto zeros = SeparateFilters(Tensor::Zeros(DType::kF32, {16, 16, 3, 3}).value());
  ASSERT_TRUE(zeros);
  for (float x : zeros->pointwise.as<float>()) EXPECT_EQ(x, 0);
  for (float x : zeros->depthwise.as<float>()) EXPECT_EQ(x, 1.0f / 3);
  const auto half = SeparateFilters(Cast(Normal({16, 16, 3, 3}, 1), DType::kF16).value());
  ASSERT_TRUE(half);
  EXPECT_EQ(half->depthwise.dtype(), DType::kF16);
}

// What a pair can hold it holds: the network computes the same, in a third of the work.
TEST(Separable, ComputesTheSameWhereFiltersAllow) {
  Graph graph = Network(R"(
input x: f32[2,3,11,13]
const w0: f32[16,3,1,1] = random(1, -1, 1)
const w1: f32[24,16,3,2] = fill(0)
const b1: f32[24] = random(2, -1, 1)
const scale: f32[24] = random(3, 0.5, 1)
const bias: f32[24] = random(4, -1, 1)
const mean: f32[24] = random(5, -1, 1)
const variance: f32[24] = random(6, 0.5, 1)
h = Conv(x, w0)
c = Conv(h, w1, b1) {strides=[2,1], pads=[1,0,2,1], dilations=[1,2], kernel_shape=[3,2]}
n = BatchNormalization(c, scale, bias, mean, variance)
y = Relu(n)
output y
)");
  graph.SetConstant(graph.FindValue("w1"),
                    FiltersOf(Normal({24, 16, 1, 1}, 7), Normal({16, 1, 3, 2}, 8), {24, 16, 3, 2}));
  Graph pairs = graph;
  const auto layers = SeparateLayers(pairs, FindSeparable(graph));
  ASSERT_TRUE(layers) << layers.error().message();
  ASSERT_EQ(layers->size(), 1u);
  EXPECT_EQ((*layers)[0].name, "c");
  EXPECT_EQ((*layers)[0].filters, (Dims{24, 16, 3, 2}));
  EXPECT_NEAR((*layers)[0].explained, 1, 1e-6);
  // The normalisation reads the pointwise one, which has the bias.
  const graph::Node& pointwise = *pairs.producer_of(pairs.FindValue("c"));
  EXPECT_EQ(pairs.producer_of(pairs.FindValue("n"))->inputs[0], pairs.FindValue("c"));
  EXPECT_EQ(pairs.value(pointwise.inputs[2]).name, "b1");
  EXPECT_EQ(pairs.value(pointwise.inputs[1]).type.dims(), (Dims{24, 16, 1, 1}));
  EXPECT_FALSE(pointwise.attrs.has("strides"));
  const graph::Node& depthwise = *pairs.producer_of(pointwise.inputs[0]);
  EXPECT_EQ(depthwise.attrs.i("group", 1), 16);
  EXPECT_EQ(depthwise.inputs.size(), 2u);
  EXPECT_EQ(pairs.FindValue("w1"), graph::ValueId::kNone);
  const Tensor x = Normal({2, 3, 11, 13}, 9);
  EXPECT_LT(LargestDifference(Outputs(graph, x), Outputs(pairs, x)), 1e-4);
}

TEST(Separable, TakesDenseConvolutionsBehindAnotherLayer) {
  const Graph graph = Network(R"(
input x: f32[N,16,8,8]
input dynamic: f32[16,16,3,3]
const first: f32[16,16,3,3] = random(1, -1, 1)
const dense: f32[32,16,3,3] = random(2, -1, 1)
const flat: f32[32,32,1,1] = random(3, -1, 1)
const grouped: f32[32,16,3,3] = random(4, -1, 1)
const deep: f32[32,1,3,3] = random(5, -1, 1)
const narrow: f32[8,32,3,3] = random(6, -1, 1)
const back: f32[16,8,3,3] = random(7, -1, 1)
a = Relu(x)
b = Conv(a, first) {pads=[1,1,1,1]}
c = Conv(b, dense) {pads=[1,1,1,1]}
d = Conv(c, flat)
e = Conv(d, grouped) {group=2, pads=[1,1,1,1]}
f = Conv(e, deep) {group=32, pads=[1,1,1,1]}
g = Conv(f, narrow) {pads=[1,1,1,1]}
h = Conv(g, back) {pads=[1,1,1,1]}
i = Conv(h, dynamic)
output i
)");
  std::vector<std::string> names;
  for (graph::NodeId id : FindSeparable(graph))
    names.push_back(graph.value(graph.node(id).outputs[0]).name);
  EXPECT_EQ(names, std::vector<std::string>{"c"});
}

constexpr std::string_view kStages = R"(
input x: f32[N,3,8,8]
const w0: f32[32,3,3,3] = random(1, -1, 1)
const w1: f32[32,32,3,3] = random(2, -1, 1)
const w2: f32[64,32,3,3] = random(3, -1, 1)
const wy: f32[10,64,1,1] = random(4, -1, 1)
h0 = Conv(x, w0) {pads=[1,1,1,1]}
h1 = Conv(h0, w1) {pads=[1,1,1,1]}
r1 = Relu(h1)
h2 = Conv(r1, w2) {pads=[1,1,1,1], strides=[2,2]}
r2 = Relu(h2)
y = Conv(r2, wy)
output y
)";

int64_t MacsOf(const Graph& graph) {
  const Dims shape{1, 3, 8, 8};
  const auto cost = CostOf(graph, std::span(&shape, 1));
  EXPECT_TRUE(cost) << cost.error().message();
  return cost->macs;
}

TEST(SeparableDesign, CountsAndNarrows) {
  const Graph graph = Network(std::string(kStages));
  const int64_t ends = 64 * 27 * 32 + 16 * 64 * 10;
  EXPECT_EQ(MacsOf(graph), ends + 64 * 288 * 32 + 16 * 288 * 64);
  const auto pairs = MakeDesign(graph, {.separable = true, .keep = {}});
  ASSERT_TRUE(pairs) << pairs.error().message();
  EXPECT_EQ(MacsOf(pairs->graph), ends + 64 * 32 * (9 + 32) + (16 * 32 * 9 + 16 * 32 * 64));
  ASSERT_EQ(pairs->separated.size(), 2u);
  EXPECT_EQ(pairs->separated[1].name, "h2");
  // Where channels go, pairs are made of the filters that stay, however few they are.
  const auto narrow = MakeDesign(graph, {.width = 0.25, .separable = true, .keep = {}});
  ASSERT_TRUE(narrow) << narrow.error().message();
  EXPECT_EQ(narrow->separated[0].filters, (Dims{8, 8, 3, 3}));
  EXPECT_EQ(MacsOf(narrow->graph),
            64 * 27 * 8 + 64 * 8 * (9 + 8) + (16 * 8 * 9 + 16 * 8 * 16) + 16 * 16 * 10);
}

TEST(SeparableDesign, SparesWhatIsNamed) {
  const Graph graph = Network(std::string(kStages));
  for (const char* pattern : {"w1", "h1"}) {
    const auto design = MakeDesign(graph, {.width = 0.5, .separable = true, .keep = {pattern}});
    ASSERT_TRUE(design) << design.error().message();
    ASSERT_EQ(design->separated.size(), 1u);
    EXPECT_EQ(design->separated[0].name, "h2");
    EXPECT_EQ(design->separated[0].filters, (Dims{32, 32, 3, 3}));
    EXPECT_EQ(design->graph.value(design->graph.FindValue("w1")).data.shape(),
              (Dims{32, 16, 3, 3}));
  }
}

TEST(SeparableDesign, SearchesTheWidthOfPairs) {
  const Graph graph = Network(std::string(kStages));
  SilentProgress silent;
  const auto cost = [](const Graph& g) -> Result<double> { return static_cast<double>(MacsOf(g)); };
  const double target = 0.12 * static_cast<double>(MacsOf(graph));
  const DesignOptions options{.separable = true, .keep = {}};
  const auto pairs = SearchDesign(graph, options, 1.0, {target, "MACs"}, cost, silent);
  const auto dense = SearchDesign(graph, {}, 1.0, {target, "MACs"}, cost, silent);
  ASSERT_TRUE(pairs && dense);
  EXPECT_LE(static_cast<double>(MacsOf(pairs->graph)), target);
  EXPECT_EQ(pairs->separated.size(), 2u);
  EXPECT_GT(pairs->width, dense->width);
}

}  // namespace
}  // namespace pare::compress
