#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;
using F = Tensor;

Tensor Floats(Dims shape, std::vector<float> values) {
  return Tensor::Of<float>(std::move(shape), std::span<const float>(values));
}
Tensor Ints(std::vector<int64_t> values) {
  return Tensor::Of<int64_t>({std::ssize(values)}, std::span<const int64_t>(values));
}

TEST(Unary, ParametersComeFromAttributes) {
  const Tensor x = Floats({3}, {-2, 0, 2});
  ExpectTensor<float>(RunNodeOrFail("LeakyRelu", {x}, {{"alpha", 0.5f}}), {3}, {-1, 0, 2});
  ExpectTensor<float>(RunNodeOrFail("LeakyRelu", {x}), {3}, {-0.02f, 0, 2});
  ExpectTensor<float>(RunNodeOrFail("HardSigmoid", {x}, {{"alpha", 0.25f}}), {3}, {0, 0.5f, 1});
  ExpectTensor<float>(RunNodeOrFail("pare.Silu", {x}), {3}, {-0.238405844f, 0, 1.76159416f});
  ExpectTensor<int64_t>(RunNodeOrFail("Neg", {Ints({1, -2})}), {2}, {-1, 2});
  ExpectTensor<float>(RunNodeOrFail("Shrink", {x}, {{"bias", 1.0f}}), {3}, {-1, 0, 1});
  ExpectTensor<float>(RunNodeOrFail("Swish", {x}, {{"alpha", 2.0f}}), {3},
                      {-0.0359724210f, 0, 1.96402758f});
  ExpectTensor<int64_t>(RunNodeOrFail("BitwiseNot", {Ints({0, -6})}), {2}, {-1, 5});
  EXPECT_FALSE(RunNode("Sigmoid", {Ints({1})}));
}

TEST(Binary, BroadcastsEveryWay) {
  struct Case {
    Tensor a, b;
    Dims shape;
    std::vector<float> expected;
  };
  const Case cases[] = {
      {Floats({2, 2}, {1, 2, 3, 4}), Floats({2, 2}, {1, 1, 2, 2}), {2, 2}, {0, 1, 1, 2}},
      {Floats({2, 2}, {1, 2, 3, 4}), Floats({}, {1}), {2, 2}, {0, 1, 2, 3}},
      {Floats({}, {1}), Floats({2}, {1, 2}), {2}, {0, -1}},
      {Floats({2, 2}, {1, 2, 3, 4}), Floats({2}, {1, 2}), {2, 2}, {0, 0, 2, 2}},
      {Floats({2, 2}, {1, 2, 3, 4}), Floats({2, 1}, {1, 2}), {2, 2}, {0, 1, 1, 2}},
      {Floats({2, 1}, {1, 2}), Floats({1, 3}, {1, 2, 3}), {2, 3}, {0, -1, -2, 1, 0, -1}},
      {Floats({2, 1, 2}, {1, 2, 3, 4}),
       Floats({1, 2, 1}, {1, 2}),
       {2, 2, 2},
       {0, 1, -1, 0, 2, 3, 1, 2}},
      {Floats({2, 0}, {}), Floats({1}, {1}), {2, 0}, {}}};
  for (const Case& c : cases) {
    ExpectTensor<float>(RunNodeOrFail("Sub", {c.a, c.b}), c.shape, c.expected);
  }
  EXPECT_FALSE(RunNode("Sub", {Floats({2}, {1, 2}), Floats({3}, {1, 2, 3})}));
  EXPECT_FALSE(RunNode("Sub", {Floats({2}, {1, 2}), Ints({3})}));
}

TEST(Binary, LargeOperandsAreCutIntoTasks) {
  for (const Dims& shape : {Dims{3, 40000}, Dims{70000, 3}, Dims{2, 300, 200}}) {
    const int64_t columns = shape.back();
    std::vector<float> x(CountOf(shape).value()), row(columns), expected(x.size());
    for (int64_t i = 0; i < columns; ++i) row[i] = static_cast<float>(i);
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<float>(i % 1000);
      expected[i] = x[i] + static_cast<float>(static_cast<int64_t>(i) % columns);
    }
    ExpectTensor<float>(RunNodeOrFail("Add", {Floats(shape, x), Floats({columns}, row)}), shape,
                        expected);
  }
}

TEST(Binary, IntegersTruthAndFusedActivations) {
  ExpectTensor<int64_t>(RunNodeOrFail("Div", {Ints({7, -7, 1}), Ints({2, 2, 0})}), {3}, {3, -3, 0});
  ExpectTensor<int64_t>(RunNodeOrFail("Mod", {Ints({7, -7}), Ints({3})}), {2}, {1, 2});
  ExpectTensor<int64_t>(RunNodeOrFail("Pow", {Ints({-2, 3}), Ints({3})}), {2}, {-8, 27});
  ExpectTensor<bool>(RunNodeOrFail("Less", {Ints({1, 3}), Ints({2})}), {2}, {true, false});
  ExpectTensor<bool>(RunNodeOrFail("Not", {Tensor::Of<bool>({2}, {true, false})}), {2},
                     {false, true});
  const Tensor x = Floats({3}, {-2, 0, 2});
  ExpectTensor<float>(
      RunNodeOrFail("Add", {x, x},
                    {{"activation", "clamp"}, {"activation_lo", 0.0f}, {"activation_hi", 3.0f}}),
      {3}, {0, 0, 3});
  ExpectTensor<float>(RunNodeOrFail("Mul", {x, Floats({1}, {2})}, {{"activation", "hardswish"}}),
                      {3}, {0, 0, 4});
  ExpectTensor<float>(RunNodeOrFail("Pow", {x, Floats({}, {2})}), {3}, {4, 0, 4});
  ExpectTensor<float>(RunNodeOrFail("Pow", {x, Ints({3})}), {3}, {-8, 0, 8});
}

TEST(Mask, ChoosesWhatStays) {
  const Tensor x = Floats({2, 3}, {1, -2, 3, -4, 5, -6}), ones = Floats({2, 3}, {1, 0, 1, 0, 0, 1});
  ExpectTensor<float>(RunNodeOrFail("pare.Mask", {x, ones}), {2, 3}, {1, 0, 3, 0, 0, -6});
  EXPECT_FALSE(RunNode("pare.Mask", {x, Floats({3}, {1, 0, 1})}));
}

TEST(Variadic, TakesAnyNumberOfOperands) {
  const Tensor a = Floats({2}, {1, 5}), b = Floats({2, 1}, {2, 4}), c = Floats({}, {3});
  ExpectTensor<float>(RunNodeOrFail("Sum", {a, b, c}), {2, 2}, {6, 10, 8, 12});
  ExpectTensor<float>(RunNodeOrFail("Mean", {a, b, c}), {2, 2}, {2, 10 / 3.f, 8 / 3.f, 4});
  ExpectTensor<float>(RunNodeOrFail("Max", {a, b, c}), {2, 2}, {3, 5, 4, 5});
  ExpectTensor<float>(RunNodeOrFail("Min", {a}), {2}, {1, 5});
}

TEST(Clip, LimitsAreOptional) {
  const Tensor x = Floats({3}, {-2, 0, 2});
  ExpectTensor<float>(RunNodeOrFail("Clip", {x, Floats({}, {-1})}), {3}, {-1, 0, 2});
  ExpectTensor<float>(RunNodeOrFail("Clip", {x, {}, Floats({}, {1})}), {3}, {-2, 0, 1});
  ExpectTensor<int64_t>(RunNodeOrFail("Clip", {Ints({-5, 5}), Ints({0}), Ints({3})}), {2}, {0, 3});
}

TEST(Cast, ConvertsAndKeepsShapes) {
  const Tensor x = Floats({2, 1}, {-1.5f, 2.5f});
  ExpectTensor<int64_t>(RunNodeOrFail("Cast", {x}, {{"to", int64_t{7}}}), {2, 1}, {-1, 2});
  ExpectTensor<bool>(RunNodeOrFail("CastLike", {x, Tensor::Scalar(true)}), {2, 1}, {true, true});
  EXPECT_FALSE(RunNode("Cast", {x}, {{"to", int64_t{8}}}));  // strings
}

TEST(DimArithmetic, FollowsSizesAndSymbols) {
  // view(x.size(0) * 1, x.size(1) * 4 / 2), from operators on scalars.
  graph::Graph g;
  const Dim n = Dim::Symbol(g.AddSymbol("N"));
  const auto x = g.AddInput("x", {DType::kF32, Shape{n, 6}});
  const auto dims = g.node(g.AddNode("Shape", {x}, {""})).outputs[0];
  const auto ones = g.AddConstant("", Ints({1, 4})), halves = g.AddConstant("", Ints({1, 2}));
  const auto product = g.node(g.AddNode("Mul", {dims, ones}, {""})).outputs[0];
  const auto half = g.node(g.AddNode("Div", {product, halves}, {""})).outputs[0];
  const auto minus = g.AddConstant("", Ints({-1}));
  const auto equal = g.node(g.AddNode("Equal", {half, minus}, {""})).outputs[0];
  const auto known = InferTypesAndDims(g);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->at(half), (Shape{n, 12}));
  EXPECT_EQ(known->at(equal), (Shape{0, 0}));
}

}  // namespace
}  // namespace pare::ops
