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

// An encoder and decoder: what is halved and doubled is odd where the height is.
TEST(BindShapes, SizesThatANodeCannotTakeAreTheCallersError) {
  const graph::Graph graph = graph::Parse(R"(input x: f32[N,1,H,4]
m = MaxPool(x) {kernel_shape=[2,1], strides=[2,1]}
u = Concat(m, m) {axis=2}
y = Concat(x, u) {axis=1} # skip
output y
)")
                                 .value();
  const Dims fits[] = {{1, 1, 6, 4}}, odd[] = {{1, 1, 7, 4}};
  EXPECT_TRUE(BindShapes(graph, fits));
  const auto bound = BindShapes(graph, odd);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().kind(), ErrorKind::kUsage);
  const std::string message = bound.error().message();
  EXPECT_TRUE(message.starts_with("node skip (Concat): its inputs have ")) << message;
  EXPECT_NE(message.find("; these sizes do not fit: \"x\" [1,1,7,4]\n"), std::string::npos);
  EXPECT_NE(message.find("`pare inspect` shows the inputs"), std::string::npos) << message;
}

TEST(BindShapes, AnEmptyBatchIsCalledSo) {
  const graph::Graph graph =
      graph::Parse("input x: f32[N,2,3]\nconst t: i64[2] = [0,-1]\ny = Reshape(x, t)\noutput y\n")
          .value();
  const Dims none[] = {{0, 2, 3}};
  const auto bound = BindShapes(graph, none);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().kind(), ErrorKind::kUsage);
  EXPECT_NE(bound.error().message().find("; an input is empty: \"x\" [0,2,3]\n"), std::string::npos)
      << bound.error().message();
}

// No size is the caller's choice.
TEST(BindShapes, AFileWithoutFreeSizesIsAtFaultItself) {
  const graph::Graph graph =
      graph::Parse("input x: f32[2,3]\nconst t: i64[1] = [7]\ny = Reshape(x, t)\noutput y\n")
          .value();
  const Dims shapes[] = {{2, 3}};
  const auto bound = BindShapes(graph, shapes);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().kind(), ErrorKind::kInvalid);
}

}  // namespace
}  // namespace pare::passes
