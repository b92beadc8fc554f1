#include "passes/bind.h"

#include <gtest/gtest.h>

#include "graph/text.h"

namespace pare::passes {
namespace {

constexpr char kText[] = R"(input x: f32[N,3,4]
input z: f32[N,?]
const w: f32[12,2] = random(1, -1, 1)
s = Shape(x) {end=1}
r = Reshape(z, s)
f = Flatten(x)
y = MatMul(f, w)
output y
output r
output s
)";

TEST(BindShapes, SymbolsBecomeSizesAndWeightsStayTheSameBytes) {
  const graph::Graph graph = graph::Parse(kText).value();
  const Dims shapes[] = {{5, 3, 4}, {5, 1}};
  const auto bound = BindShapes(graph, shapes);
  ASSERT_TRUE(bound) << bound.error().message();
  EXPECT_EQ(graph::Print(*bound, {.hashes = false}), R"(input x: f32[5,3,4]
input z: f32[5,1]
const s: i64[1] = [5]
r: f32[5] = Reshape(z, s)
f: f32[5,12] = Flatten(x)
const w: f32[12,2] = ...
y: f32[5,2] = MatMul(f, w)
output y
output r
output s
)");
  EXPECT_EQ(bound->value(bound->FindValue("w")).data.data(),
            graph.value(graph.FindValue("w")).data.data());
}

TEST(BindShapes, AShapeThatDoesNotFitIsTheCallersError) {
  const graph::Graph graph = graph::Parse(kText).value();
  const std::pair<std::vector<Dims>, const char*> cases[] = {
      {{{5, 3, 4}}, "the model has 2 inputs, but shapes of 1 were given"},
      {{{5, 3}, {5, 5}}, "the input \"x\" is f32[N,3,4], and [5,3] does not fit: the rank differs"},
      {{{5, 2, 4}, {5, 5}},
       "the input \"x\" is f32[N,3,4], and [5,2,4] does not fit: dimension 1 is fixed"},
      {{{5, 3, 4}, {4, 5}},
       "the input \"z\" is f32[N,?], and [4,5] does not fit: \"N\" is already 5 elsewhere"},
  };
  for (const auto& [shapes, message] : cases) {
    const auto bound = BindShapes(graph, shapes);
    ASSERT_FALSE(bound) << message;
    EXPECT_EQ(bound.error().kind(), ErrorKind::kUsage);
    EXPECT_EQ(bound.error().message(), message);
  }
}

TEST(BindShapes, SizesThatTheModelCannotTakeAreTheCallersError) {
  const graph::Graph graph =
      graph::Parse(
          "input a: f32[1,2,H]\ninput b: f32[1,2,W]\ny = Concat(a, b) {axis=1}\noutput y\n")
          .value();
  const Dims alike[] = {{1, 2, 8}, {1, 2, 8}}, other[] = {{1, 2, 8}, {1, 2, 7}};
  EXPECT_TRUE(BindShapes(graph, alike));
  const auto bound = BindShapes(graph, other);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().kind(), ErrorKind::kUsage);
  const std::string message = bound.error().message();
  EXPECT_TRUE(message.starts_with("inputs of [1,2,8], [1,2,7] don't fit the model: ")) << message;
  EXPECT_EQ(message.find('\n'), message.rfind('\n'))
      << "one advice, behind the reason: " << message;
}

}  // namespace
}  // namespace pare::passes
