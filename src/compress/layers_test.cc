#include "compress/layers.h"

#include <gtest/gtest.h>

#include "graph/text.h"
#include "ops/node_view.h"

namespace pare::compress {
namespace {

TEST(LayerNameOf, IsThatOfTheOutputOrOfWhatAStateTakes) {
  auto graph = graph::Parse(R"(
input x: f32[2]
state s: f16[2] = [0,0]
a = Relu(x)
b = Cast(a) {to=10}
c = Neg(x)
d = Cast(c) {to=10}
output d
assign s = b
)");
  ASSERT_TRUE(graph) << graph.error().message();
  const Status inferred = ops::InferTypes(*graph);
  ASSERT_TRUE(inferred) << inferred.error().message();
  EXPECT_EQ(LayerNameOf(*graph, "c"), "d");
  EXPECT_EQ(LayerNameOf(*graph, "d"), "d");
  EXPECT_EQ(LayerNameOf(*graph, "a"), "b");
}

}  // namespace
}  // namespace pare::compress
