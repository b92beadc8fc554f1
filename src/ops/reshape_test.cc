#include <gtest/gtest.h>

#include "ops/op_def.h"
#include "ops/prepare.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

TEST(Reshape, SymbolsSurviveAndCancel) {
  graph::Graph g;
  const Dim n = Dim::Symbol(g.AddSymbol("N"));
  const auto x = g.AddInput("x", {DType::kF32, Shape{n, 16, 4, 4}});
  struct Case {
    std::vector<int64_t> target;
    Shape expected;
  };
  const Case cases[] = {{{0, -1}, {n, 256}},
                        {{-1, 256}, {n, 256}},
                        {{0, 4, 4, -1}, {n, 4, 4, 16}},
                        {{2, -1}, {2, Dim::Unknown()}}};
  for (const Case& c : cases) {
    const auto target = g.AddConstant("", Tensor::Of<int64_t>({std::ssize(c.target)}, c.target));
    const auto y = g.node(g.AddNode("Reshape", {x, target}, {""})).outputs[0];
    ASSERT_TRUE(InferTypes(g));
    EXPECT_EQ(*g.value(y).type.shape, c.expected);
  }
}

TEST(Reshape, AWrongCountIsAnErrorWithThePath) {
  graph::Graph g;
  const auto x = g.AddInput("x", {DType::kF32, Shape{2, 3}});
  const auto target = g.AddConstant("t", Tensor::Of<int64_t>({1}, {7}));
  g.AddNode("Reshape", {x, target}, {"y"}, {}, "/r");
  const Status status = InferTypes(g);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "node /r (Reshape): can't reshape [2,3] to [7]");
}

TEST(Reshape, ARestThatNoSizeGivesIsAnError) {
  const auto infer = [](const Shape& from, const std::vector<int64_t>& to) -> std::string {
    graph::Graph g;
    const auto x = g.AddInput("x", {DType::kF32, from});
    const auto t = g.AddConstant("t", Tensor::Of<int64_t>({std::ssize(to)}, to));
    g.AddNode("Reshape", {x, t}, {"y"}, {}, "/r");
    const Status status = InferTypes(g);
    return status ? "" : status.error().message();
  };
  EXPECT_EQ(infer({9, 2, 30}, {12, 16, -1}),
            "node /r (Reshape): can't reshape [9,2,30] to [12,16,-1]");
  EXPECT_EQ(infer({0, 256, 1, 1}, {0, -1}),
            "node /r (Reshape): can't reshape [0,256,1,1] to [0,-1]");
  EXPECT_EQ(infer({12, 2, 32}, {12, 16, -1}), "");
  EXPECT_EQ(infer({0, 256}, {-1, 16}), "");
  EXPECT_EQ(infer({Dim::Unknown(), 2, 32}, {12, 16, -1}), "");
}

TEST(Shape, ComputedTargetsAreFollowed) {
  // PyTorch's view(x.size(0), -1).
  graph::Graph g;
  const Dim n = Dim::Symbol(g.AddSymbol("N"));
  const auto x = g.AddInput("x", {DType::kF32, Shape{n, 8, 2}});
  const auto shape = g.node(g.AddNode("Shape", {x}, {"s"}, {{"end", int64_t{1}}})).outputs[0];
  const auto y = g.node(g.AddNode("Reshape", {x, shape}, {"y"})).outputs[0];
  ASSERT_TRUE(InferTypes(g));
  EXPECT_EQ(*g.value(y).type.shape, Shape{n});
  EXPECT_EQ(g.value(shape).type.dtype, DType::kI64);
}

TEST(Evaluate, RunsOneNodeOnConstants) {
  graph::Graph g;
  const auto x = g.AddConstant("x", Tensor::Of<float>({2, 3}, {0, 1, 2, 3, 4, 5}));
  const auto y = g.AddNode("Shape", {x}, {"y"});
  ASSERT_TRUE(InferTypes(g));
  const auto out = Evaluate(g, g.node(y));
  ASSERT_TRUE(out) << out.error().message();
  EXPECT_EQ((*out)[0].as<int64_t>()[1], 3);
}

}  // namespace
}  // namespace pare::ops
