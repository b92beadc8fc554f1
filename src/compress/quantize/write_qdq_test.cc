#include "compress/quantize/write_qdq.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "graph/text.h"
#include "ops/node_view.h"
#include "ops/pairs.h"

namespace pare::compress {
namespace {

struct RoundingCase {
  Dims shape;
  int axis;
};

Tensor RandomWeights(const Dims& shape, uint32_t seed) {
  Tensor weights = Tensor::Make(DType::kF32, shape).value();
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  for (float& value : weights.mutable_as<float>()) value = normal(engine);
  return weights;
}

double SquaredError(const Tensor& weights, const QuantizedWeights& rounded) {
  const Tensor back = DequantizeWeights(rounded);
  double error = 0;
  for (int64_t i = 0; i < weights.count(); ++i)
    error += std::pow(weights.as<float>()[i] - back.as<float>()[i], 2);
  return error;
}

// What 64 levels on either side would leave.
double ErrorOfSevenWholeBits(const Tensor& weights, int axis) {
  std::vector<float> scales = QuantizeWeights(weights, axis, 8).scales;
  for (float& scale : scales) scale *= 127.0f / 64;
  return SquaredError(weights, RoundWeights(weights, axis, 8, scales));
}

TEST(RoundWeights, PairsFitWithHalfTheErrorOfSevenBits) {
  const RoundingCase cases[] = {{{16, 32, 1, 1}, 0}, {{8, 6, 3, 3}, 0}, {{8, 3, 3, 3}, 0},
                                {{8, 5, 5}, 0},      {{40, 24}, 0},     {{40, 24}, 1},
                                {{33, 7}, 1}};
  uint32_t seed = 0;
  for (const RoundingCase& c : cases) {
    SCOPED_TRACE(DimsText(c.shape));
    const Tensor weights = RandomWeights(c.shape, ++seed);
    const QuantizedWeights rounded = QuantizeWeights(weights, c.axis, 7);
    EXPECT_TRUE(ops::PairsFit(rounded.values, c.axis));
    EXPECT_FALSE(ops::PairsFit(QuantizeWeights(weights, c.axis, 8).values, c.axis));
    EXPECT_LT(SquaredError(weights, rounded), 0.6 * ErrorOfSevenWholeBits(weights, c.axis));
  }
}

// Batch norms leave such channels: nothing comes through them but their bias.
TEST(WriteQdq, ABiasFitsAlsoWhereAChannelIsAllButDead) {
  auto graph = graph::Parse(R"(
input x: f32[2,4]
const w: f32[4,2] = [1e-9,0.5, -1e-9,0.25, 1e-9,-0.5, 1e-9,0.1]
const b: f32[2] = [0.5,-0.5]
y: f32[2,2] = Gemm(x, w, b)
output y
)");
  ASSERT_TRUE(graph) << graph.error().message();
  const Scheme scheme = MakeScheme(*graph, {});
  ASSERT_EQ(scheme.layers.size(), 1u);
  ASSERT_TRUE(scheme.layers[0].integer);
  const auto weights = std::make_shared<const QuantizedWeights>(
      QuantizeWeights(graph->value(graph->FindValue("w")).data, 1, 8));
  const Tensor before = weights->values;
  const std::vector<QuantParams> params(static_cast<size_t>(scheme.groups),
                                        {.scale = 0.02f, .zero_point = 128});
  const Status written = WriteQdq(*graph, scheme, params, {{scheme.layers[0].node, weights}});
  ASSERT_TRUE(written) << written.error().message();
  const auto levels = graph->value(graph->FindValue("b_quantized")).data.as<int32_t>();
  const auto scales = graph->value(graph->FindValue("b_scale")).data.as<float>();
  const auto w_scales = graph->value(graph->FindValue("w_scale")).data.as<float>();
  EXPECT_NEAR(levels[0] * double{scales[0]}, 0.5, 1e-6);
  EXPECT_NEAR(levels[1] * double{scales[1]}, -0.5, 1e-3);
  EXPECT_FLOAT_EQ(scales[0], w_scales[0] * 0.02f);
  EXPECT_EQ(w_scales[1], weights->scales[1]);
  EXPECT_EQ(weights->values.data(), before.data());  // others share them
}

// What reads a dequantized value directly is taken for a layer that is to be quantized, by an
// engine that knows better than the file. The name of an output stays with what the file gives.
TEST(WriteQdq, LayersInFloatReadBehindANodeOfTheirOwn) {
  auto graph = graph::Parse(R"(
input x: f32[1,2,4,4]
const w0: f32[2,2,1,1] = random(1, -1, 1)
const w1: f32[2,2,1,1] = random(2, -1, 1)
const w2: f32[2,2,1,1] = random(3, -1, 1)
const w3: f32[3,3] = random(4, -1, 1)
const c3: f32[3] = [1,2,3]
a = Conv(x, w0)
m = MaxPool(a) {kernel_shape=[2,2]}
b = Conv(m, w1)
i = Conv(b, w2)
c = MatMul(i, w3)
d = Add(c, c3)
y = Conv(d, w2)
output y
output x
)");
  ASSERT_TRUE(graph) << graph.error().message();
  ASSERT_TRUE(ops::InferTypes(*graph));
  const Scheme scheme = MakeScheme(*graph, {.keep_float = {"b", "c"}, .given_back = {}});
  LayerWeights weights;
  for (const Layer& layer : scheme.layers) {
    if (!layer.integer) continue;
    weights[layer.node] = std::make_shared<const QuantizedWeights>(
        QuantizeWeights(graph->value(graph->node(layer.node).inputs[1]).data, 0, 8));
  }
  ASSERT_EQ(weights.size(), 3u);
  const std::vector<QuantParams> params(static_cast<size_t>(scheme.groups),
                                        {.scale = 0.02f, .zero_point = 128});
  ASSERT_TRUE(WriteQdq(*graph, scheme, params, weights));
  int layers = 0;
  for (graph::NodeId id : graph->Order()) {
    const graph::Node& node = graph->node(id);
    if (node.op != "Conv" && node.op != "MatMul") continue;
    const graph::Node& before = *graph->producer_of(node.inputs[0]);
    EXPECT_EQ(before.op, graph->is_constant(node.inputs[1]) ? "Max" : "DequantizeLinear");
    ++layers;
  }
  EXPECT_EQ(layers, 5);
  const graph::Value& output = graph->value(graph->outputs()[0].value);
  EXPECT_EQ(output.name, "y");
  EXPECT_EQ(graph->node(output.producer).op, "DequantizeLinear");
  EXPECT_EQ(graph->outputs()[1].value, graph->inputs()[0]);
  EXPECT_EQ(graph->value(graph->inputs()[0]).name, "x");
}

}  // namespace
}  // namespace pare::compress
