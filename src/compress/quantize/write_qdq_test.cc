#include "compress/quantize/write_qdq.h"

#include <gtest/gtest.h>

#include "graph/text.h"

namespace pare::compress {
namespace {

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

}  // namespace
}  // namespace pare::compress
