#include <cmath>

#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Attrs;
using graph::Dim;
using graph::Ints;
using graph::Shape;

struct Case {
  const char* name;
  Dims x, w;
  Attrs attrs;
  bool residual = false;
};

const Case kCases[] = {
    {"pointwise", {2, 5, 4, 3}, {7, 5, 1, 1}, {}},
    {"padded", {1, 3, 7, 6}, {8, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
    {"strided",
     {2, 17, 9, 9},
     {33, 17, 3, 3},
     {{"pads", Ints{0, 1, 1, 0}}, {"strides", Ints{2, 1}}},
     true},
    {"same_upper",
     {1, 4, 8, 7},
     {4, 4, 4, 3},
     {{"auto_pad", "SAME_UPPER"}, {"strides", Ints{2, 2}}}},
    {"dilated", {1, 2, 9, 9}, {3, 2, 3, 2}, {{"dilations", Ints{2, 3}}}},
    {"groups", {1, 6, 5, 5}, {4, 3, 3, 3}, {{"group", int64_t{2}}}, true},
    {"depthwise", {2, 9, 6, 6}, {9, 1, 3, 3}, {{"group", int64_t{9}}, {"pads", Ints{1, 1, 1, 1}}}},
    {"multiplier", {1, 3, 5, 5}, {6, 1, 3, 3}, {{"group", int64_t{3}}}},
    {"many_channels", {1, 64, 6, 5}, {65, 64, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
    {"signal", {2, 3, 11}, {5, 3, 3}, {{"pads", Ints{1, 1}}}},
    {"volume", {1, 2, 4, 5, 3}, {3, 2, 2, 3, 1}, {{"strides", Ints{2, 1, 1}}}},
};

Attrs With(Attrs attrs, std::string name, graph::AttrValue value) {
  attrs.set(name, std::move(value));
  return attrs;
}

// The sum of the definition, for one output element of a 2-D convolution without attributes but
// pads of 1.
TEST(Conv, IsTheSumOfProducts) {
  const Tensor x = RandomTensor({1, 2, 3, 3}, 1), w = RandomTensor({1, 2, 3, 3}, 2);
  const Tensor b = Tensor::Of<float>({1}, {0.5f});
  const auto y = RunNode("Conv", {x, w, b}, {{"pads", Ints{1, 1, 1, 1}}});
  ASSERT_TRUE(y) << y.error().message();
  for (int oy = 0; oy < 3; ++oy) {
    for (int ox = 0; ox < 3; ++ox) {
      double sum = 0.5;
      for (int c = 0; c < 2; ++c)
        for (int ky = 0; ky < 3; ++ky)
          for (int kx = 0; kx < 3; ++kx) {
            const int iy = oy + ky - 1, ix = ox + kx - 1;
            if (iy < 0 || iy > 2 || ix < 0 || ix > 2) continue;
            sum += double{x.as<float>()[c * 9 + iy * 3 + ix]} * w.as<float>()[c * 9 + ky * 3 + kx];
          }
      EXPECT_NEAR((*y)[0].as<float>()[oy * 3 + ox], sum, 1e-5);
    }
  }
}

TEST(Conv, ChannelsLastIsThePlainFormTransposed) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const Tensor x = RandomTensor(c.x, 3), w = RandomTensor(c.w, 4), b = RandomTensor({c.w[0]}, 5);
    for (const char* activation : {"", "clamp", "silu"}) {
      Attrs attrs = With(With(c.attrs, "activation", activation), "activation_lo", 0.0f);
      auto y = RunNode("Conv", {x, w, b}, attrs);
      ASSERT_TRUE(y) << y.error().message();
      std::vector<Tensor> plain{x, w, b};
      std::vector<Tensor> last{ChannelsLast(x), ChannelsLast(w), b};
      if (c.residual) {
        const Tensor residual = RandomTensor((*y)[0].shape(), 6);
        plain.push_back(residual);
        last.push_back(ChannelsLast(residual));
        y = RunNode("Conv", plain, attrs);
        ASSERT_TRUE(y) << y.error().message();
      }
      const auto z = RunNode("Conv", last, With(attrs, "channels_last", int64_t{1}));
      ASSERT_TRUE(z) << z.error().message();
      ExpectNear(ChannelsFirst((*z)[0]), (*y)[0], 1e-5);
      // Weights that move are packed by each run, to the same bytes.
      const auto computed = RunNode("Conv", plain, attrs, 1, graph::ValueKind::kParameter);
      ASSERT_TRUE(computed) << computed.error().message();
      ExpectSame((*computed)[0], (*y)[0]);
    }
  }
}

TEST(ConvTranspose, IsTheGradientOfConv) {
  // <conv(u), x> = <u, convᵀ(x)> for all u and x.
  struct Pair {
    Dims u, w;  // of the convolution; the same weights serve both
    Attrs attrs;
  };
  const Pair pairs[] = {
      {{2, 3, 7, 6}, {5, 3, 3, 2}, {{"pads", Ints{1, 0, 1, 1}}}},
      {{1, 17, 9, 11}, {20, 17, 3, 3}, {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}},
      {{1, 4, 9, 9}, {6, 2, 3, 3}, {{"group", int64_t{2}}, {"strides", Ints{2, 3}}}},
      {{1, 4, 9, 9}, {4, 4, 2, 2}, {{"dilations", Ints{2, 1}}, {"strides", Ints{1, 1}}}},
      {{1, 66, 6, 5}, {64, 66, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
      {{1, 2, 4, 4}, {3, 2, 2, 2}, {{"pads", Ints{2, 2, 2, 2}}}},
      {{1, 9, 7, 6},
       {9, 1, 3, 3},
       {{"group", int64_t{9}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 0}}}},
      {{2, 9, 7, 6}, {9, 1, 3, 3}, {{"group", int64_t{9}}, {"pads", Ints{1, 1, 1, 1}}}},
      {{1, 3, 15}, {4, 3, 5}, {{"strides", Ints{2}}}},
      {{1, 2, 5, 5, 5}, {3, 2, 2, 3, 1}, {}},
  };
  for (const Pair& c : pairs) {
    const Tensor u = RandomTensor(c.u, 1), w = RandomTensor(c.w, 2);
    const auto y = RunNode("Conv", {u, w}, c.attrs);
    ASSERT_TRUE(y) << y.error().message();
    const Tensor x = RandomTensor((*y)[0].shape(), 3);
    const auto back = RunNode("ConvTranspose", {x, w}, c.attrs);
    const auto computed =
        RunNode("ConvTranspose", {x, w}, c.attrs, 1, graph::ValueKind::kParameter);
    const auto last = RunNode("ConvTranspose", {ChannelsLast(x), ChannelsLast(w)},
                              With(c.attrs, "channels_last", int64_t{1}));
    ASSERT_TRUE(back && computed && last);
    ASSERT_EQ((*back)[0].shape(), u.shape());
    ExpectNear((*computed)[0], (*back)[0], 1e-5);
    ExpectNear(ChannelsFirst((*last)[0]), (*back)[0], 1e-5);
    double left = 0, right = 0;
    for (int64_t i = 0; i < x.count(); ++i) {
      left += double{x.as<float>()[i]} * (*y)[0].as<float>()[i];
    }
    for (int64_t i = 0; i < u.count(); ++i) {
      right += double{u.as<float>()[i]} * (*back)[0].as<float>()[i];
    }
    EXPECT_NEAR(left, right, 1e-4 * std::sqrt(static_cast<double>(u.count())));
  }
}

TEST(Conv, SymbolsPassThroughSamePadding) {
  graph::Graph g;
  const Dim n = Dim::Symbol(g.AddSymbol("N")), h = Dim::Symbol(g.AddSymbol("H"));
  const auto x = g.AddInput("x", {DType::kF32, Shape{n, 3, h, 8}});
  const auto w = g.AddConstant("w", RandomTensor({4, 3, 3, 3}, 1));
  g.AddNode("Conv", {x, w}, {"same"}, {{"pads", Ints{1, 1, 1, 1}}});
  g.AddNode("Conv", {x, w}, {"half"}, {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}});
  ASSERT_TRUE(InferTypes(g));
  EXPECT_EQ(*g.value(g.FindValue("same")).type.shape, (Shape{n, 4, h, 8}));
  EXPECT_EQ(*g.value(g.FindValue("half")).type.shape, (Shape{n, 4, Dim::Unknown(), 4}));
}

// Sizes that a damaged file may declare: errors or unknown sizes, never an overflow.
TEST(Conv, HugeSizesAreErrors) {
  constexpr int64_t kHuge = int64_t{1} << 62;
  for (const char* op : {"Conv", "ConvTranspose", "MaxPool"}) {
    graph::Graph g;
    const auto x = g.AddInput("x", {DType::kF32, Shape{1, 4, kHuge, 8}});
    const auto w = g.AddInput("w", {DType::kF32, Shape{4, 4, 3, 3}});
    const bool pool = op[0] == 'M';
    g.AddNode(op, pool ? std::vector{x} : std::vector{x, w}, {"y"},
              {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}});
    EXPECT_FALSE(InferTypes(g)) << op;
  }
  graph::Graph g;
  const auto x = g.AddInput("x", {DType::kF32, Shape{kHuge, kHuge, 8, 8}});
  const auto w = g.AddInput("w", {DType::kF32, Shape{kHuge, kHuge, 1, 1}});
  const auto y = g.AddNode("Conv", {x, w}, {"y"});
  ASSERT_TRUE(InferTypes(g));
  EXPECT_GE(FindOp("Conv")->cost(NodeView(g, g.node(y))).macs, 0);
}

TEST(Conv, ErrorsSayWhatIsWrong) {
  const Tensor x = RandomTensor({1, 4, 5, 5}, 1);
  const auto status = RunNode("Conv", {x, RandomTensor({2, 3, 3, 3}, 2)});
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().reason().find("the input has 4 channels"), std::string::npos);
  const auto large = RunNode("Conv", {x, RandomTensor({2, 4, 7, 7}, 2)});
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().reason().find("window of 7"), std::string::npos);
  EXPECT_FALSE(RunNode("Conv", {x, RandomTensor({2, 4, 3, 3}, 2)}, {{"strides", Ints{0, 1}}}));
}

}  // namespace
}  // namespace pare::ops
