// The integer operators against their formulas, one value at a time, to the last bit.
#include <cmath>

#include "kernels/requantize.h"
#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Attrs;
using graph::Ints;
using kernels::QuantizeOne;

template <typename T>
Tensor RandomBytes(Dims shape, uint32_t seed, int lo, int hi) {
  Tensor tensor = Tensor::Make(DTypeOf<T>, std::move(shape)).value();
  std::mt19937 engine(seed);
  for (T& x : tensor.mutable_as<T>()) {
    x = static_cast<T>(lo + static_cast<int>(engine() % static_cast<unsigned>(hi - lo + 1)));
  }
  return tensor;
}
Tensor U8(Dims shape, uint32_t seed) {
  return RandomBytes<uint8_t>(std::move(shape), seed, 0, 255);
}

TEST(QGemm, IsTheFormula) {
  const int64_t m = 6, k = 37, n = 19;
  const Tensor x = U8({2, 3, k}, 1), w = RandomBytes<int8_t>({n, k}, 2, -127, 127);
  const Tensor scale = RandomTensor({n}, 3, 1e-4f, 1e-3f),
               bias = RandomBytes<int32_t>({n}, 4, -9000, 9000);
  const Tensor residual = U8({2, 3, n}, 5), w_zero = RandomBytes<int32_t>({n}, 6, -20, 20);
  for (int form = 0; form < 8; ++form) {
    const bool with_residual = form & 1, with_zero = form & 2, to_float = form & 4;
    if (with_residual && to_float) continue;
    const Attrs attrs{{"x_zero_point", int64_t{117}},
                      {"y_zero_point", int64_t{101}},
                      {"lo", int64_t{101}},
                      {"residual_zero_point", int64_t{7}},
                      {"residual_multiplier", 0.37f},
                      {"output", to_float ? "f32" : "u8"},
                      {"activation", to_float ? "clamp" : ""},
                      {"activation_lo", 0.0f}};
    const auto y = RunNode(
        "pare.QGemm",
        {x, w, scale, bias, with_residual ? residual : Tensor(), with_zero ? w_zero : Tensor()},
        attrs);
    ASSERT_TRUE(y) << y.error().message();
    for (int64_t i = 0; i < m * n; ++i) {
      const int64_t row = i / n, o = i % n;
      int32_t sum = bias.as<int32_t>()[o];
      for (int64_t j = 0; j < k; ++j) {
        sum += (x.as<uint8_t>()[row * k + j] - 117) *
               (w.as<int8_t>()[o * k + j] - (with_zero ? w_zero.as<int32_t>()[o] : 0));
      }
      float value = static_cast<float>(sum) * scale.as<float>()[o];
      if (to_float) {
        ASSERT_EQ((*y)[0].as<float>()[i], std::max(value, 0.0f));
        continue;
      }
      if (with_residual) value += static_cast<float>(residual.as<uint8_t>()[i] - 7) * 0.37f;
      ASSERT_EQ((*y)[0].as<uint8_t>()[i], QuantizeOne(value, 101, 101, 255)) << form << " " << i;
    }
  }
}

// A convolution in integers is the f32 one of the same whole numbers, which are exact there too.
TEST(QConv, IsTheConvolutionOfWholeNumbers) {
  struct Case {
    Dims x, w;  // N,H,W,C and [out, kh, kw, in/group]
    Attrs attrs;
  };
  const Case cases[] = {
      {{2, 7, 6, 16}, {24, 1, 1, 16}, {}},
      {{1, 7, 9, 3}, {20, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}}},
      {{1, 8, 8, 33}, {33, 3, 3, 1}, {{"group", int64_t{33}}, {"pads", Ints{1, 1, 1, 1}}}},
      {{1, 8, 8, 8}, {6, 3, 2, 4}, {{"group", int64_t{2}}, {"dilations", Ints{2, 1}}}},
      {{2, 19, 5}, {7, 3, 5}, {{"pads", Ints{1, 1}}}},
  };
  for (const Case& c : cases) {
    const Tensor x = U8(c.x, 1), w = RandomBytes<int8_t>(c.w, 2, -50, 50);
    const int64_t n = c.w[0];
    const Tensor scale = RandomTensor({n}, 3, 1e-3f, 1e-2f);
    Tensor centred = Cast(x, DType::kF32).value();
    for (float& value : centred.mutable_as<float>()) value -= 60;
    Attrs attrs = c.attrs;
    attrs.set("channels_last", int64_t{1});
    const auto sums = RunNode("Conv", {centred, Cast(w, DType::kF32).value()}, attrs);
    attrs = c.attrs;
    attrs.set("x_zero_point", int64_t{60});
    attrs.set("y_zero_point", int64_t{128});
    const auto y = RunNode("pare.QConv", {x, w, scale}, attrs);
    ASSERT_TRUE(sums && y) << (sums ? y : sums).error().message();
    ASSERT_EQ((*y)[0].shape(), (*sums)[0].shape());
    for (int64_t i = 0; i < (*y)[0].count(); ++i) {
      // Winograd rounds; the sums are integers.
      const float sum = std::nearbyint((*sums)[0].as<float>()[i]);
      ASSERT_EQ((*y)[0].as<uint8_t>()[i], QuantizeOne(sum * scale.as<float>()[i % n], 128, 0, 255));
    }
  }
}

TEST(QBinary, BroadcastsLikeNumPy) {
  const std::pair<Dims, Dims> cases[] = {
      {{2, 3, 4}, {2, 3, 4}},
      {{2, 5, 5, 7}, {2, 1, 1, 7}},
      {{2, 1, 1, 7}, {2, 5, 5, 7}},
      {{4, 1}, {1, 6}},
      {{3, 4}, {}},
      {{}, {3, 4}},
      {{2, 3, 1}, {2, 3, 9}},
      {{5, 7}, {7}},
      {{2, 1, 3, 1}, {1, 4, 1, 5}},
      {{2, 3, 2, 3}, {2, 1, 2, 1}},
  };
  const Attrs attrs{{"a_multiplier", 0.7f},        {"b_multiplier", 1.3f},
                    {"multiplier", 0.011f},        {"a_zero_point", int64_t{130}},
                    {"b_zero_point", int64_t{90}}, {"y_zero_point", int64_t{100}}};
  for (const auto& [shape_a, shape_b] : cases) {
    const Tensor a = U8(shape_a, 1), b = U8(shape_b, 2);
    const auto sum = RunNode("pare.QAdd", {a, b}, attrs);
    const auto product = RunNode("pare.QMul", {a, b}, attrs);
    ASSERT_TRUE(sum && product);
    const Dims y = (*sum)[0].shape();
    for (int64_t i = 0; i < (*sum)[0].count(); ++i) {
      int64_t rest = i, at[2] = {}, step[2] = {1, 1};
      for (size_t axis = y.size(); axis-- > 0;) {
        for (int operand : {0, 1}) {
          const Dims& shape = operand ? shape_b : shape_a;
          const int64_t own = static_cast<int64_t>(axis) - std::ssize(y) + std::ssize(shape);
          if (own < 0) continue;
          if (shape[own] != 1) at[operand] += rest % y[axis] * step[operand];
          step[operand] *= shape[own];
        }
        rest /= y[axis];
      }
      const int32_t left = a.as<uint8_t>()[at[0]] - 130, right = b.as<uint8_t>()[at[1]] - 90;
      const float added = static_cast<float>(left) * 0.7f + static_cast<float>(right) * 1.3f;
      ASSERT_EQ((*sum)[0].as<uint8_t>()[i], QuantizeOne(added, 100, 0, 255));
      const float multiplied = static_cast<float>(left * right) * 0.011f;
      ASSERT_EQ((*product)[0].as<uint8_t>()[i], QuantizeOne(multiplied, 100, 0, 255));
    }
  }
}

TEST(Lut, LooksUp) {
  const Tensor x = U8({3, 300}, 1), table = U8({256}, 2);
  const auto y = RunNode("pare.Lut", {x, table});
  ASSERT_TRUE(y) << y.error().message();
  for (int64_t i = 0; i < x.count(); ++i) {
    ASSERT_EQ((*y)[0].as<uint8_t>()[i], table.as<uint8_t>()[x.as<uint8_t>()[i]]);
  }
}

TEST(QPool, AveragesAndMaxima) {
  const Tensor x = U8({2, 6, 5, 19}, 1);
  const Attrs global{
      {"x_zero_point", int64_t{30}}, {"y_zero_point", int64_t{9}}, {"multiplier", 0.8f}};
  const auto mean = RunNode("pare.QGlobalAveragePool", {x}, global);
  ASSERT_TRUE(mean) << mean.error().message();
  ASSERT_EQ((*mean)[0].shape(), (Dims{2, 1, 1, 19}));
  for (int64_t i = 0; i < 38; ++i) {
    int32_t sum = 0;
    for (int64_t p = 0; p < 30; ++p) sum += x.as<uint8_t>()[(i / 19 * 30 + p) * 19 + i % 19] - 30;
    const float value = static_cast<float>(sum) * (0.8f / 30.0f);
    ASSERT_EQ((*mean)[0].as<uint8_t>()[i], QuantizeOne(value, 9, 0, 255));
  }
  Attrs window{{"kernel_shape", Ints{3, 2}}, {"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 1, 1}}};
  const auto plain = RunNode("MaxPool", {ChannelsFirst(x)}, window);
  window.set("channels_last", int64_t{1});
  const auto last = RunNode("MaxPool", {x}, window);
  ASSERT_TRUE(plain && last);
  ExpectSame(ChannelsFirst((*last)[0]), (*plain)[0]);
}

TEST(QuantizeLinear, SaturatesRoundsToEvenAndComesBack) {
  const Tensor x = Tensor::Of<float>({6}, {-1000, -1.5f, -0.5f, 0.5f, 1.5f, 1000});
  const Tensor scale = Tensor::Scalar(1.0f);
  const auto s8 = RunNode("QuantizeLinear", {x, scale, Tensor::Scalar(int8_t{3})});
  const auto u8 = RunNode("QuantizeLinear", {x, scale, Tensor::Scalar(uint8_t{200})});
  ASSERT_TRUE(s8 && u8);
  ExpectSame((*s8)[0], Tensor::Of<int8_t>({6}, {-128, 1, 3, 3, 5, 127}));
  ExpectSame((*u8)[0], Tensor::Of<uint8_t>({6}, {0, 198, 200, 200, 202, 255}));
  const auto back = RunNode("DequantizeLinear", {(*s8)[0], scale, Tensor::Scalar(int8_t{3})});
  ASSERT_TRUE(back);
  ExpectSame((*back)[0], Tensor::Of<float>({6}, {-131, -2, 0, 0, 2, 124}));
}

}  // namespace
}  // namespace pare::ops
