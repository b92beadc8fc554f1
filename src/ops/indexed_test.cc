// What the single-operator cases under tests/ don't ask: faults, errors and partly known shapes.
#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

Tensor Floats(Dims shape) {
  Tensor x = Tensor::Make(DType::kF32, std::move(shape)).value();
  for (int64_t i = 0; i < x.count(); ++i) x.mutable_as<float>()[i] = static_cast<float>(i);
  return x;
}
Tensor Ints(Dims shape, std::vector<int64_t> values) {
  return Tensor::Of<int64_t>(std::move(shape), std::span<const int64_t>(values));
}
Tensor Ints(std::vector<int64_t> values) {
  return Ints({std::ssize(values)}, std::vector<int64_t>(values));
}

TEST(Indexed, IndicesOutOfRangeAreFaultsOfTheRun) {
  const Tensor x = Floats({2, 3}), far = Ints({1, 1}, {7});
  const Tensor one = Floats({1, 1}), row = Floats({1, 3});
  const Result<std::vector<Tensor>> runs[] = {
      RunNode("Gather", {x, far}), RunNode("GatherElements", {x, far}),
      RunNode("GatherND", {x, far}), RunNode("ScatterElements", {x, far, one}),
      RunNode("ScatterND", {x, far, row})};
  for (const auto& run : runs) {
    ASSERT_FALSE(run);
    EXPECT_NE(run.error().message().find("out of range (7)"), std::string::npos)
        << run.error().message();
  }
}

TEST(Indexed, WrongOperandsAreErrorsBeforeTheRun) {
  const Tensor x = Floats({2, 3});
  EXPECT_FALSE(RunNode("Gather", {x, Floats({1})}));
  EXPECT_FALSE(RunNode("GatherElements", {x, Ints({1, 9}, std::vector<int64_t>(9))}));
  EXPECT_FALSE(RunNode("ScatterND", {x, Ints({1, 1}, {0}), Floats({1, 2})}));
  EXPECT_FALSE(RunNode("ScatterElements", {x, Ints({1, 1}, {0}), Floats({1, 2})}));
  EXPECT_FALSE(RunNode("TopK", {x, Ints({4})}, {}, 2));
  EXPECT_FALSE(RunNode("Pad", {x, Ints({0, 0, 0})}));
  EXPECT_FALSE(RunNode("Pad", {x, Ints({INT64_MAX, 0, INT64_MAX, 0})}));
  EXPECT_FALSE(RunNode("Pad", {x, Ints({-3, 0, 0, 0})}));
  EXPECT_FALSE(RunNode("Einsum", {x, x}, {{"equation", "ij,jk->ik"}}));
  EXPECT_FALSE(RunNode("Einsum", {x}, {{"equation", "ij->iz"}}));
  EXPECT_FALSE(RunNode("ReduceSum", {x, Ints({2})}));
  EXPECT_FALSE(RunNode("Expand", {x, Ints({int64_t{1} << 40, int64_t{1} << 40, 2, 3})}));
}

TEST(Indexed, ScatterAppliesUpdatesInOrder) {
  const Tensor x = Floats({3}), same = Ints({2, 1}, {1, 1}), updates = Floats({2});
  ExpectTensor<float>(RunNodeOrFail("ScatterND", {x, same, updates}), {3}, {0, 1, 2});
  ExpectTensor<float>(RunNodeOrFail("ScatterND", {x, same, updates}, {{"reduction", "add"}}), {3},
                      {0, 2, 2});
}

TEST(Generate, ARangeUpToASymbolHasItsLength) {
  graph::Graph g;
  const Dim n = Dim::Symbol(g.AddSymbol("N"));
  const auto x = g.AddInput("x", {DType::kF32, Shape{n}});
  const auto dims = g.node(g.AddNode("Shape", {x}, {""})).outputs[0];
  const auto zero = g.AddConstant("", Tensor::Scalar<int64_t>(0));
  const auto one = g.AddConstant("", Tensor::Scalar<int64_t>(1));
  const auto size = g.node(g.AddNode("Gather", {dims, zero}, {""})).outputs[0];
  const auto y = g.node(g.AddNode("Range", {zero, size, one}, {"y"})).outputs[0];
  ASSERT_TRUE(InferTypes(g));
  EXPECT_EQ(*g.value(y).type.shape, Shape{n});
}

TEST(Pad, OnlyPaddedAxesLoseTheirSymbol) {
  graph::Graph g;
  const Dim n = Dim::Symbol(g.AddSymbol("N"));
  const auto x = g.AddInput("x", {DType::kF32, Shape{n, 3, n}});
  const auto pads = g.AddConstant("", Ints({0, 1, 0, 0, 1, 1}));
  const auto y = g.node(g.AddNode("Pad", {x, pads}, {"y"})).outputs[0];
  ASSERT_TRUE(InferTypes(g));
  EXPECT_EQ(*g.value(y).type.shape, (Shape{n, 5, Dim::Unknown()}));
}

TEST(NonZero, OfComputedValuesHasNoPlan) {
  graph::Graph g;
  const auto x = g.AddInput("x", {DType::kF32, Shape{4}});
  const auto node = g.AddNode("NonZero", {x}, {"y"});
  ASSERT_TRUE(InferTypes(g));
  PackCache packs;
  const auto prepared = Prepare(g, g.node(node), Cpu{}, packs);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().kind(), ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace pare::ops
