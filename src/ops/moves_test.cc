#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

Tensor Count(Dims shape) {  // 0, 1, 2 …
  Tensor x = Tensor::Make(DType::kF32, std::move(shape)).value();
  for (int64_t i = 0; i < x.count(); ++i) x.mutable_as<float>()[i] = static_cast<float>(i);
  return x;
}
Tensor Ints(std::vector<int64_t> values) {
  return Tensor::Of<int64_t>({std::ssize(values)}, std::span<const int64_t>(values));
}
graph::Attrs Axis(int64_t axis) { return {{"axis", axis}}; }

TEST(Transpose, AllOrdersOfAllSizes) {
  const Dims shapes[] = {{2, 3, 4, 5}, {1, 3, 70, 40}, {2, 1, 33, 17}, {3, 64, 5, 130}};
  std::vector<int> order{0, 1, 2, 3};
  do {
    for (const Dims& shape : shapes) {
      const Tensor x = Count(shape);
      const graph::Ints perm(order.begin(), order.end());
      ExpectSame(RunNodeOrFail("Transpose", {x}, {{"perm", perm}}), Permuted(x, order));
      const Tensor bytes = Cast(x, DType::kU8).value(), wide = Cast(x, DType::kI64).value();
      ExpectSame(RunNodeOrFail("Transpose", {bytes}, {{"perm", perm}}), Permuted(bytes, order));
      ExpectSame(RunNodeOrFail("Transpose", {wide}, {{"perm", perm}}), Permuted(wide, order));
    }
  } while (std::next_permutation(order.begin(), order.end()));
  ExpectSame(RunNodeOrFail("Transpose", {Count({2, 3})}), Permuted(Count({2, 3}), {1, 0}));
  EXPECT_FALSE(RunNode("Transpose", {Count({2, 3})}, {{"perm", graph::Ints{0, 0}}}));
}

TEST(Concat, JoinsAlongAnyAxisAndSplitUndoesIt) {
  const Tensor x = Count({2, 3, 4});
  for (int64_t axis : {0, 1, 2, -1}) {
    const Tensor twice = RunNodeOrFail("Concat", {x, x}, Axis(axis));
    ASSERT_EQ(twice.count(), 48);
    const auto parts = RunNode("Split", {twice}, Axis(axis), 2);
    ASSERT_TRUE(parts) << parts.error().message();
    ExpectSame((*parts)[0], x);
    ExpectSame((*parts)[1], x);
  }
  const auto uneven = RunNode("Split", {Count({5}), Ints({1, 4})}, {}, 2);
  ASSERT_TRUE(uneven);
  ExpectTensor<float>((*uneven)[1], {4}, {1, 2, 3, 4});
  EXPECT_FALSE(RunNode("Split", {Count({5}), Ints({1, 3})}, {}, 2));
  EXPECT_FALSE(RunNode("Concat", {Count({2, 3}), Count({3, 3})}, Axis(1)));
}

TEST(Slice, CutsAsNumPyDoes) {
  struct Case {
    int64_t start, end, step;
    std::vector<float> expected;
  };
  const int64_t most = INT64_MAX, least = INT64_MIN;
  const Case cases[] = {{1, 4, 1, {1, 2, 3}},  {0, most, 2, {0, 2, 4}},
                        {-2, most, 1, {4, 5}}, {most, least, -1, {5, 4, 3, 2, 1, 0}},
                        {4, 1, -2, {4, 2}},    {-1, -4, -1, {5, 4, 3}},
                        {3, 3, 1, {}},         {5, 2, 1, {}},
                        {0, -1, least, {}},    {-100, 2, 1, {0, 1}},
                        {5, least, least, {5}}};
  for (const Case& c : cases) {
    const Tensor y = RunNodeOrFail(
        "Slice", {Count({6}), Ints({c.start}), Ints({c.end}), Ints({0}), Ints({c.step})});
    ExpectTensor<float>(y, {std::ssize(c.expected)}, c.expected);
  }
  ExpectTensor<float>(RunNodeOrFail("Slice", {Count({2, 3}), Ints({1}), Ints({3}), Ints({-1})}),
                      {2, 2}, {1, 2, 4, 5});
}

TEST(Gather, PicksAndReportsWhatIsOutOfRange) {
  const Tensor x = Count({3, 2});
  ExpectTensor<float>(RunNodeOrFail("Gather", {x, Ints({2, -3})}), {2, 2}, {4, 5, 0, 1});
  ExpectTensor<float>(RunNodeOrFail("Gather", {x, Tensor::Scalar<int64_t>(1)}, Axis(1)), {3},
                      {1, 3, 5});
  const auto fault = RunNode("Gather", {x, Ints({3})});
  ASSERT_FALSE(fault);
  EXPECT_EQ(fault.error().message(), "node y0 (Gather): an index is out of range (3)");
}

TEST(Expand, RepeatsWithoutAndWithTile) {
  ExpectTensor<float>(RunNodeOrFail("Expand", {Count({2, 1}), Ints({2, 1, 2})}), {2, 2, 2},
                      {0, 0, 1, 1, 0, 0, 1, 1});
  ExpectTensor<float>(RunNodeOrFail("Tile", {Count({1, 2}), Ints({2, 2})}), {2, 4},
                      {0, 1, 0, 1, 0, 1, 0, 1});
}

TEST(Where, ChoosesAndBroadcasts) {
  const Tensor condition = Tensor::Of<bool>({2, 1}, {true, false});
  ExpectTensor<float>(RunNodeOrFail("Where", {condition, Count({2}), Tensor::Scalar(9.0f)}), {2, 2},
                      {0, 1, 9, 9});
}

TEST(Squeeze, AxesGoAndCome) {
  ExpectTensor<float>(RunNodeOrFail("Squeeze", {Count({1, 2, 1})}), {2}, {0, 1});
  ExpectTensor<float>(RunNodeOrFail("Squeeze", {Count({1, 2, 1}), Ints({-1})}), {1, 2}, {0, 1});
  ExpectTensor<float>(RunNodeOrFail("Unsqueeze", {Count({2}), Ints({0, -1})}), {1, 2, 1}, {0, 1});
  EXPECT_FALSE(RunNode("Squeeze", {Count({1, 2}), Ints({1})}));
}

TEST(Shapes, AViewOfPyTorchIsFollowedThroughGatherUnsqueezeAndConcat) {
  // x.view(x.size(0), x.size(1), 2, -1) as exported: one Gather and Unsqueeze a size.
  graph::Graph g;
  const Dim n = Dim::Symbol(g.AddSymbol("N"));
  const auto x = g.AddInput("x", {DType::kF32, Shape{n, 7, 6}});
  const auto dims = g.node(g.AddNode("Shape", {x}, {""})).outputs[0];
  const auto zero = g.AddConstant("", Ints({0}));
  std::vector<graph::ValueId> parts;
  for (int64_t i : {0, 1}) {
    const auto at = g.AddConstant("", Tensor::Scalar<int64_t>(i));
    const auto size = g.node(g.AddNode("Gather", {dims, at}, {""})).outputs[0];
    parts.push_back(g.node(g.AddNode("Unsqueeze", {size, zero}, {""})).outputs[0]);
  }
  for (int64_t size : {2, -1}) parts.push_back(g.AddConstant("", Ints({size})));
  const auto target = g.node(g.AddNode("Concat", parts, {""}, Axis(0))).outputs[0];
  const auto y = g.node(g.AddNode("Reshape", {x, target}, {"y"})).outputs[0];
  const Status status = InferTypes(g);
  ASSERT_TRUE(status) << status.error().message();
  EXPECT_EQ(*g.value(y).type.shape, (Shape{n, 7, 2, 3}));
}

TEST(Shapes, AnExpandOfPyTorchIsFollowedThroughWhere) {
  // x.expand(n, 4): the target −1 would stand for the size of x, so the export asks for it.
  graph::Graph g;
  const Dim n = Dim::Symbol(g.AddSymbol("N"));
  const auto x = g.AddInput("x", {DType::kF32, Shape{n, 1}});
  const auto dims = g.node(g.AddNode("Shape", {x}, {""}, {{"end", int64_t{1}}})).outputs[0];
  const auto four = g.AddConstant("", Ints({4})), rest = g.AddConstant("", Ints({-1}));
  const auto joined = g.node(g.AddNode("Concat", {dims, four}, {""}, Axis(0))).outputs[0];
  const auto target = g.node(g.AddNode("Reshape", {joined, rest}, {""})).outputs[0];
  const auto minus = g.AddConstant("", Ints({-1, -1})), one = g.AddConstant("", Ints({1, 1}));
  const auto equal = g.node(g.AddNode("Equal", {target, minus}, {""})).outputs[0];
  const auto chosen = g.node(g.AddNode("Where", {equal, one, target}, {""})).outputs[0];
  const auto y = g.node(g.AddNode("Expand", {x, chosen}, {"y"})).outputs[0];
  ASSERT_TRUE(InferTypes(g));
  EXPECT_EQ(*g.value(y).type.shape, (Shape{n, 4}));
}

TEST(Shapes, SlicesOfSymbolsKeepThem) {
  // position_ids[:, :input_ids.size(1)]
  graph::Graph g;
  const Dim s = Dim::Symbol(g.AddSymbol("S"));
  const auto ids = g.AddInput("ids", {DType::kI64, Shape{1, s}});
  const auto places = g.AddInput("places", {DType::kI64, Shape{1, 512}});
  const auto dims = g.node(g.AddNode("Shape", {ids}, {""})).outputs[0];
  const auto one = g.AddConstant("", Ints({1})), two = g.AddConstant("", Ints({2}));
  const auto zero = g.AddConstant("", Ints({0}));
  const auto end = g.node(g.AddNode("Slice", {dims, one, two, zero}, {""})).outputs[0];
  const auto y = g.node(g.AddNode("Slice", {places, zero, end, one}, {""})).outputs[0];
  ASSERT_TRUE(InferTypes(g));
  EXPECT_EQ(*g.value(y).type.shape, (Shape{1, s}));
}

}  // namespace
}  // namespace pare::ops
