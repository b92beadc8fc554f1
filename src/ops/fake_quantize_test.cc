#include <cmath>

#include "ops/testing.h"

namespace pare::ops {
namespace {

const graph::Attrs kFourBits{{"lo", int64_t{-7}}, {"hi", int64_t{7}}, {"axis", int64_t{1}}};

TEST(FakeQuantize, IsDequantizeOfQuantize) {
  const Tensor x = RandomTensor({3, 5, 4}, 1, -4, 4), scale = RandomTensor({}, 2, 0.01f, 0.02f);
  const Tensor zero = Tensor::Scalar<uint8_t>(37);
  const auto q = RunNode("QuantizeLinear", {x, scale, zero});
  ASSERT_TRUE(q) << q.error().message();
  const auto expected = RunNode("DequantizeLinear", {(*q)[0], scale, zero});
  const auto actual =
      RunNode("pare.FakeQuantize", {x, scale},
              {{"lo", int64_t{0}}, {"hi", int64_t{255}}, {"zero_point", int64_t{37}}});
  ASSERT_TRUE(actual) << actual.error().message();
  ExpectSame((*actual)[0], (*expected)[0]);
}

TEST(FakeQuantize, HasAScaleForEachChannel) {
  const Tensor x = RandomTensor({2, 3, 5}, 1, -4, 4), scale = RandomTensor({3}, 2, 0.1f, 0.7f);
  const auto y = RunNode("pare.FakeQuantize", {x, scale}, kFourBits);
  ASSERT_TRUE(y) << y.error().message();
  for (int64_t i = 0; i < x.count(); ++i) {
    const float s = scale.as<float>()[i / 5 % 3];
    const float level = std::clamp(std::nearbyint(x.as<float>()[i] / s), -7.0f, 7.0f);
    EXPECT_EQ((*y)[0].as<float>()[i], level * s);
  }
}

// Esser et al. 2020, eq. 3, in double.
TEST(FakeQuantize, HasTheGradientsOfLsq) {
  for (const Dims& shape : {Dims{2, 3, 5}, Dims{40, 3}}) {
    const Tensor x = RandomTensor(shape, 1, -4, 4), dy = RandomTensor(shape, 3);
    const Tensor scale = RandomTensor({3}, 2, 0.1f, 0.7f);
    const auto grads = RunNode("pare.FakeQuantizeGrad", {x, scale, dy}, kFourBits, 2);
    ASSERT_TRUE(grads) << grads.error().message();
    const int64_t inner = shape.size() == 3 ? 5 : 1;
    double expected[3] = {};
    for (int64_t i = 0; i < x.count(); ++i) {
      const int64_t c = i / inner % 3;
      const float v = x.as<float>()[i] / scale.as<float>()[c];
      const bool inside = v >= -7 && v <= 7;
      expected[c] += double{dy.as<float>()[i]} * (inside  ? std::nearbyint(double{v}) - double{v}
                                                  : v < 0 ? -7.0
                                                          : 7.0);
      EXPECT_EQ((*grads)[0].as<float>()[i], inside ? dy.as<float>()[i] : 0.0f);
    }
    const double g = 1 / std::sqrt(static_cast<double>(x.count() / 3) * 7);
    for (int c = 0; c < 3; ++c) EXPECT_NEAR((*grads)[1].as<float>()[c], expected[c] * g, 1e-5);
  }
}

TEST(FakeQuantize, RefusesLevelsThatDontHoldTheZeroPoint) {
  const auto y = RunNode("pare.FakeQuantize", {RandomTensor({4}, 1), Tensor::Scalar(0.1f)},
                         {{"lo", int64_t{0}}, {"hi", int64_t{15}}, {"zero_point", int64_t{16}}});
  EXPECT_FALSE(y);
}

}  // namespace
}  // namespace pare::ops
