#include "compress/quantize/scheme.h"

#include <gtest/gtest.h>

#include "compress/quantize/write_qdq.h"
#include "graph/text.h"
#include "ops/node_view.h"

namespace pare::compress {
namespace {

// y = Gemm(x[2,4], w[4,3], bias); a second Gemm, so that the first has an integer consumer.
graph::Graph GemmWithBias(const char* bias) {
  auto graph = graph::Parse(Text(R"(
input x: f32[2,4]
const w: f32[4,3] = random(1, -1, 1)
const b: )",
                                 bias, R"( = random(2, -1, 1)
const v: f32[3,3] = random(3, -1, 1)
h: f32[2,3] = Gemm(x, w, b)
y: f32[2,3] = Gemm(h, v)
output y
)"));
  EXPECT_TRUE(graph) << graph.error().message();
  return *graph;
}

TEST(Scheme, AClampStaysWithItsLayerInFloatToo) {
  auto graph = graph::Parse(R"(
input x: f32[1,2,4,4]
const w: f32[2,2,1,1] = random(1, -1, 1)
const v: f32[2,2,1,1] = random(2, -1, 1)
a: f32[1,2,4,4] = Conv(x, w)
r: f32[1,2,4,4] = Relu(a)
y: f32[1,2,4,4] = Conv(r, v)
output y
)");
  ASSERT_TRUE(graph) << graph.error().message();
  for (const bool kept : {false, true}) {
    SchemeOptions options;
    if (kept) options.given_back["r"] = "slow";
    const Scheme scheme = MakeScheme(*graph, options);
    ASSERT_EQ(scheme.layers.size(), 2u);
    EXPECT_EQ(scheme.layers[0].name, "r");
    EXPECT_EQ(scheme.layers[0].op, "Conv");
    EXPECT_EQ(scheme.layers[0].integer, !kept);
    EXPECT_FALSE(scheme.quantized(graph->FindValue("a")));  // nothing between the two
    EXPECT_TRUE(scheme.quantized(graph->FindValue("r")));
    EXPECT_EQ(scheme.quantized(graph->FindValue("x")), !kept);
  }
}

TEST(Scheme, OperatorsWithoutTheirFirstOutputAreLeft) {
  auto graph = graph::Parse(R"(
input x: f32[1,4,4,4]
const w: f32[2,2,1,1] = random(1, -1, 1)
_, b = Split(x) {axis=1, num_outputs=2}
r = Relu(b)
y = Conv(r, w)
output y
)");
  ASSERT_TRUE(graph) << graph.error().message();
  ASSERT_TRUE(ops::InferTypes(*graph));
  const Scheme scheme = MakeScheme(*graph, {});
  EXPECT_TRUE(scheme.quantized(graph->FindValue("r")));
  EXPECT_FALSE(scheme.layers.empty());
}

TEST(Scheme, AProductWithFactorsOfItsOwnStaysFloat) {
  auto graph = graph::Parse(R"(
input x: f32[2,4]
const w: f32[4,3] = random(1, -1, 1)
const v: f32[3,3] = random(3, -1, 1)
h: f32[2,3] = Gemm(x, w) {alpha=0.5}
y: f32[2,3] = Gemm(h, v)
output y
)");
  ASSERT_TRUE(graph) << graph.error().message();
  const Scheme scheme = MakeScheme(*graph, {});
  ASSERT_EQ(scheme.layers.size(), 2u);
  EXPECT_FALSE(scheme.layers[0].integer);
  EXPECT_EQ(scheme.layers[0].reason, "its alpha, beta or transA has no integer form");
}

TEST(Scheme, KeepsALayerFloatWhoseBiasIsNotOfChannels) {
  const struct {
    const char* bias;
    bool integer;
  } kCases[] = {{"f32[3]", true},  {"f32[1,3]", true},  {"f32[]", false},
                {"f32[1]", false}, {"f32[2,3]", false}, {"f32[2,1]", false}};
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.bias);
    graph::Graph graph = GemmWithBias(c.bias);
    const Scheme scheme = MakeScheme(graph, {});
    ASSERT_EQ(scheme.layers.size(), 2u);
    EXPECT_EQ(scheme.layers[0].integer, c.integer);
    EXPECT_EQ(scheme.layers[0].reason,
              c.integer ? "" : "its bias is not one number for each output channel");
    EXPECT_TRUE(scheme.layers[1].integer);
    const std::vector<QuantParams> params(static_cast<size_t>(scheme.groups),
                                          {.scale = 0.02f, .zero_point = 128});
    LayerWeights weights;
    for (const Layer& layer : scheme.layers) {
      const Tensor& w = graph.value(graph.node(layer.node).inputs[1]).data;
      weights[layer.node] = std::make_shared<QuantizedWeights>(
          QuantizedWeights{.values = Tensor::Zeros(DType::kI8, w.shape()).value(),
                           .scales = {0.1f, 0.2f, 0.3f},
                           .channel_axis = 1,
                           .mean_shift = {}});
    }
    const Status written = WriteQdq(graph, scheme, params, weights);
    ASSERT_TRUE(written) << written.error().message();
    const Status typed = ops::InferTypes(graph);
    ASSERT_TRUE(typed) << typed.error().message();
    EXPECT_EQ(graph.FindValue("b_quantized") != graph::ValueId::kNone, c.integer);
  }
}

TEST(Scheme, LeavesInFloatWhatHasNoIntegerForm) {
  const char* const kGraphs[] = {R"(
input x: f32[2,3,4]
const w: f32[2,4,5] = random(1, -1, 1)
y = MatMul(x, w)
output y
)",
                                 R"(
input x: f32[3,4]
const w: f32[4] = random(1, -1, 1)
y = MatMul(x, w)
output y
)",
                                 R"(
input x: f32[1,2,4,4,4]
const w: f32[3,2,1,1,1] = random(1, -1, 1)
y = Conv(x, w)
output y
)"};
  for (const char* text : kGraphs) {
    auto graph = graph::Parse(text);
    ASSERT_TRUE(graph) << graph.error().message();
    ASSERT_TRUE(ops::InferTypes(*graph));
    const Layer layer = MakeScheme(*graph, {}).layers.at(0);
    EXPECT_FALSE(layer.integer) << text;
    EXPECT_EQ(layer.reason, "weights of this shape have no integer form");
  }
}

// 33,155 · 255 · 127 + 2^30 is the last sum below 2^31.
TEST(Scheme, LeavesSumsInFloatThatCouldLeave32Bits) {
  for (const int64_t products : {33155, 33156}) {
    const auto graph =
        graph::Parse(Text("input x: f32[1,", products, "]\nconst w: f32[", products,
                          ",2] = random(1, -1, 1)\ny: f32[1,2] = MatMul(x, w)\n", "output y\n"));
    ASSERT_TRUE(graph) << graph.error().message();
    const Layer layer = MakeScheme(*graph, {}).layers.at(0);
    EXPECT_EQ(layer.integer, products == 33155);
    EXPECT_EQ(layer.reason,
              layer.integer ? "" : "sums of more than 33155 products can leave 32 bits");
  }
}

TEST(Scheme, TheAddBehindAProductBelongsToItWhereItIsItsBias) {
  const struct {
    const char* bias;
    const char* behind;
    size_t layers;
  } kCases[] = {{"f32[3]", "y = Relu(a)\n", 1},       {"f32[1,1,3]", "y = Relu(a)\n", 1},
                {"f32[]", "y = Relu(a)\n", 2},        {"f32[5,1]", "y = Relu(a)\n", 2},
                {"f32[1,1,1,3]", "y = Relu(a)\n", 2}, {"f32[3]", "y = Mul(a, p)\n", 3}};
  for (const auto& c : kCases) {
    auto graph = graph::Parse(Text("input x: f32[2,5,4]\nconst w: f32[4,3] = random(1, -1, 1)\n",
                                   "const b: ", c.bias, " = fill(0.5)\np = MatMul(x, w)\n",
                                   "a = Add(b, p)\n", c.behind, "output y\n"));
    ASSERT_TRUE(graph) << graph.error().message();
    ASSERT_TRUE(ops::InferTypes(*graph));
    const Scheme scheme = MakeScheme(*graph, {});
    ASSERT_EQ(scheme.layers.size(), c.layers) << c.bias << " " << c.behind;
    EXPECT_EQ(scheme.layers[0].name, c.layers == 1 ? "y" : "p") << c.bias;
    if (c.layers == 1) {
      EXPECT_FALSE(scheme.quantized(graph->FindValue("b")));
    }
  }
}

TEST(Scheme, KeepsALayerFloatByTheNameOfAnyOfItsNodes) {
  auto graph = graph::Parse(R"(
input x: f32[2,5,4]
const w: f32[4,3] = random(1, -1, 1)
const b: f32[3] = fill(0.5)
p = MatMul(x, w)
a = Add(p, b)
y = Relu(a)
output y
)");
  ASSERT_TRUE(graph) << graph.error().message();
  ASSERT_TRUE(ops::InferTypes(*graph));
  EXPECT_TRUE(MakeScheme(*graph, {}).layers.at(0).integer);
  EXPECT_TRUE(MatchesAny(*graph, "a"));
  EXPECT_FALSE(MatchesAny(*graph, "Relu"));
  // Operators are those of layers: a bias and a clamp are none.
  for (const std::string pattern : {"p", "a", "y", "MatMul", "Add", "Relu"}) {
    const SchemeOptions options{.keep_float = {pattern}, .given_back = {}};
    EXPECT_EQ(MakeScheme(*graph, options).layers.at(0).integer,
              pattern == "Add" || pattern == "Relu")
        << pattern;
  }
}

// [M, 1] is a number for each row, also where there are as many rows as channels.
TEST(Scheme, DoesNotTakeABiasOfRowsForOneOfChannels) {
  const auto graph = graph::Parse(R"(
input x: f32[3,4]
const w: f32[4,3] = random(1, -1, 1)
const b: f32[3,1] = random(2, -1, 1)
y: f32[3,3] = Gemm(x, w, b)
output y
)");
  ASSERT_TRUE(graph) << graph.error().message();
  EXPECT_FALSE(MakeScheme(*graph, {}).layers.at(0).integer);
}

}  // namespace
}  // namespace pare::compress
