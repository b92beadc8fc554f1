#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Attrs;
using graph::Ints;

struct Case {
  const char* name;
  Dims x;
  Attrs attrs;
};
const Case kCases[] = {
    {"basic", {2, 3, 7, 8}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}},
    {"padded",
     {1, 17, 9, 9},
     {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}},
    {"ceil",
     {1, 5, 8, 9},
     {{"kernel_shape", Ints{3, 2}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}}},
    {"ceil_padded",
     {1, 5, 8, 9},
     {{"kernel_shape", Ints{3, 3}},
      {"strides", Ints{2, 2}},
      {"pads", Ints{1, 0, 1, 1}},
      {"ceil_mode", int64_t{1}},
      {"count_include_pad", int64_t{1}}}},
    {"dilated", {1, 40, 9, 9}, {{"kernel_shape", Ints{3, 2}}, {"dilations", Ints{2, 3}}}},
    {"signal", {2, 3, 11}, {{"kernel_shape", Ints{3}}, {"pads", Ints{1, 1}}}},
    {"volume", {1, 2, 4, 5, 3}, {{"kernel_shape", Ints{2, 2, 2}}}},
};

TEST(Pool, ChannelsLastIsThePlainFormTransposed) {
  for (const Case& c : kCases) {
    for (const char* op :
         {"MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool"}) {
      SCOPED_TRACE(testing::Message() << op << " " << c.name);
      const Tensor x = RandomTensor(c.x, 3);
      const auto y = RunNode(op, {x}, c.attrs);
      Attrs attrs = c.attrs;
      attrs.set("channels_last", int64_t{1});
      const auto z = RunNode(op, {ChannelsLast(x)}, attrs);
      ASSERT_TRUE(y && z) << (y ? z : y).error().message();
      ExpectNear(ChannelsFirst((*z)[0]), (*y)[0], 1e-6);
    }
  }
}

TEST(Pool, KnownValues) {
  const Tensor x = Tensor::Of<float>({1, 1, 1, 5}, {1, 2, 3, 4, 6});
  struct Known {
    const char* op;
    Attrs attrs;
    std::vector<float> y;
  };
  const Ints k{1, 2}, s{1, 2}, pads{0, 1, 0, 1};
  const Known cases[] = {
      {"MaxPool", {{"kernel_shape", k}, {"strides", s}}, {2, 4}},
      {"MaxPool", {{"kernel_shape", k}, {"strides", s}, {"ceil_mode", int64_t{1}}}, {2, 4, 6}},
      {"AveragePool", {{"kernel_shape", k}, {"strides", s}}, {1.5f, 3.5f}},
      {"AveragePool", {{"kernel_shape", k}, {"strides", s}, {"pads", pads}}, {1, 2.5f, 5}},
      {"AveragePool",
       {{"kernel_shape", k}, {"strides", s}, {"pads", pads}, {"count_include_pad", int64_t{1}}},
       {0.5f, 2.5f, 5}},
      {"GlobalAveragePool", {}, {3.2f}},
      {"GlobalMaxPool", {}, {6}},
  };
  for (const Known& c : cases) {
    const auto y = RunNode(c.op, {x}, c.attrs);
    ASSERT_TRUE(y) << y.error().message();
    ExpectNear((*y)[0], Tensor::Of<float>({1, 1, 1, std::ssize(c.y)}, c.y), 1e-6);
  }
}

TEST(Pool, BytesAndIndices) {
  const auto y = RunNode("MaxPool", {Tensor::Of<int8_t>({1, 1, 2, 2}, {-5, -3, -9, -4})},
                         {{"kernel_shape", Ints{2, 2}}}, 2);
  ASSERT_TRUE(y) << y.error().message();
  EXPECT_EQ((*y)[0].as<int8_t>()[0], -3);
  EXPECT_EQ((*y)[1].as<int64_t>()[0], 1);
}

}  // namespace
}  // namespace pare::ops
