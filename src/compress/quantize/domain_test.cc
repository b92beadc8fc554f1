#include "compress/quantize/domain.h"

#include <gtest/gtest.h>

#include "graph/text.h"
#include "ops/node_view.h"

namespace pare::compress {
namespace {

TEST(ClipToDomains, WhereTheOperandWasRounded) {
  auto graph = graph::Parse(R"(
input x: f32[2,3]
const s: f32[] = 0.0079
const z: u8[] = 127
const shape: i64[1] = [6]
q = QuantizeLinear(x, s, z)
d = DequantizeLinear(q, s, z)
r = Reshape(d, shape)
f = pare.FakeQuantize(x, s) {lo=0, hi=255, zero_point=127}
a = Asin(r)
b = Acosh(f)
c = Acos(x)
e = Sin(d)
output a
output b
output c
output e
)");
  ASSERT_TRUE(graph) << graph.error().message();
  ClipToDomains(*graph);
  const Status inferred = ops::InferTypes(*graph);
  ASSERT_TRUE(inferred) << inferred.error().message();
  const auto before = [&](const char* value) -> const graph::Node* {
    return graph->producer_of(graph->producer_of(graph->FindValue(value))->inputs[0]);
  };
  ASSERT_EQ(before("a")->op, "Clip");
  ASSERT_EQ(before("a")->inputs.size(), 3u);
  EXPECT_EQ(graph->value(before("a")->inputs[0]).name, "r");
  EXPECT_EQ(graph->value(before("a")->inputs[1]).data.as<float>()[0], -1);
  EXPECT_EQ(graph->value(before("a")->inputs[2]).data.as<float>()[0], 1);
  EXPECT_TRUE(IsDomainClip(*graph, *before("a")));
  ASSERT_EQ(before("b")->op, "Clip");
  ASSERT_EQ(before("b")->inputs.size(), 2u);
  EXPECT_EQ(graph->value(before("b")->inputs[1]).data.as<float>()[0], 1);
  EXPECT_EQ(before("c"), nullptr);
  EXPECT_EQ(before("e")->op, "DequantizeLinear");
}

}  // namespace
}  // namespace pare::compress
