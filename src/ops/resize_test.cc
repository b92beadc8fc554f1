#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Attrs;
using graph::Dim;
using graph::Shape;

Tensor Scales(std::vector<float> scales) { return Tensor::Of<float>({std::ssize(scales)}, scales); }

TEST(Resize, ChannelsLastIsThePlainFormTransposed) {
  const Tensor x = RandomTensor({2, 5, 6, 7}, 1);
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* transform :
         {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"}) {
      for (const Tensor& scales : {Scales({1, 1, 2, 1.5f}), Scales({1, 1, 0.5f, 0.7f}),
                                   Scales({1, 1, 3, 1}), Scales({1, 1, 1, 0.3f})}) {
        Attrs attrs{{"mode", mode}, {"coordinate_transformation_mode", transform}};
        const auto y = RunNode("Resize", {x, Tensor(), scales}, attrs);
        attrs.set("channels_last", int64_t{1});
        const auto z = RunNode("Resize", {ChannelsLast(x), Tensor(), scales}, attrs);
        ASSERT_TRUE(y && z) << (y ? z : y).error().message();
        ExpectNear(ChannelsFirst((*z)[0]), (*y)[0], 1e-5);
      }
    }
  }
}

TEST(Resize, KnownValues) {
  const Tensor x = Tensor::Of<float>({1, 1, 1, 4}, {1, 2, 3, 4});
  struct Case {
    Attrs attrs;
    float scale;
    std::vector<float> y;
  };
  const Case cases[] = {
      {{{"mode", "nearest"}}, 2, {1, 1, 2, 2, 3, 3, 4, 4}},
      {{{"mode", "linear"}}, 0.5f, {1.5f, 3.5f}},
      {{{"mode", "linear"}}, 2, {1, 1.25f, 1.75f, 2.25f, 2.75f, 3.25f, 3.75f, 4}},
      {{{"mode", "linear"}, {"coordinate_transformation_mode", "align_corners"}},
       1.75f,
       {1, 1.5f, 2, 2.5f, 3, 3.5f, 4}},
      // A triangle of twice the width: 1/8, 3/8, 3/8, 1/8, cut at the edges and made whole again.
      {{{"mode", "linear"}, {"antialias", int64_t{1}}},
       0.5f,
       {(3 * 1 + 3 * 2 + 1 * 3) / 7.0f, (1 * 2 + 3 * 3 + 3 * 4) / 7.0f}},
  };
  for (const Case& c : cases) {
    const auto y = RunNode("Resize", {x, Tensor(), Scales({1, 1, 1, c.scale})}, c.attrs);
    ASSERT_TRUE(y) << y.error().message();
    ExpectNear((*y)[0], Tensor::Of<float>({1, 1, 1, std::ssize(c.y)}, c.y), 1e-5);
  }
}

TEST(Resize, SizesPoliciesAxesAndBytes) {
  const Tensor x = Tensor::Of<uint8_t>({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor sizes = Tensor::Of<int64_t>({2}, {4, 4});
  const auto larger =
      RunNode("Resize", {x, Tensor(), Tensor(), sizes},
              {{"axes", graph::Ints{2, 3}}, {"keep_aspect_ratio_policy", "not_smaller"}});
  ASSERT_TRUE(larger) << larger.error().message();
  EXPECT_EQ((*larger)[0].shape(), (Dims{1, 1, 4, 8}));
  EXPECT_EQ((*larger)[0].as<uint8_t>()[31], 8);
  const auto smaller =
      RunNode("Resize", {x, Tensor(), Tensor(), sizes},
              {{"axes", graph::Ints{2, 3}}, {"keep_aspect_ratio_policy", "not_larger"}});
  ASSERT_TRUE(smaller);
  ExpectSame((*smaller)[0], x);
}

TEST(Resize, SymbolsPassThroughUnscaledAxes) {
  graph::Graph g;
  const Dim n = Dim::Symbol(g.AddSymbol("N"));
  const auto x = g.AddInput("x", {DType::kF32, Shape{n, 3, 4, 5}});
  const auto scales = g.AddConstant("s", Scales({1, 1, 2, 2}));
  g.AddNode("Resize", {x, graph::ValueId::kNone, scales}, {"y"});
  ASSERT_TRUE(InferTypes(g));
  EXPECT_EQ(*g.value(g.FindValue("y")).type.shape, (Shape{n, 3, 8, 10}));
}

}  // namespace
}  // namespace pare::ops
