#include <cmath>
#include <limits>

#include "ops/pairs.h"
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

graph::Attrs InPairs(int64_t axis) {
  return {{"lo", int64_t{-127}}, {"hi", int64_t{127}}, {"axis", axis}, {"fit_pairs", int64_t{1}}};
}

// Channel by channel.
Tensor RoundedInPairs(const Tensor& x, const Tensor& scale, int axis) {
  const PairOrder order(x.shape(), axis);
  Tensor y = Tensor::Make(DType::kF32, x.shape()).value();
  std::vector<float> exact(static_cast<size_t>(order.depth()));
  std::vector<int8_t> levels(exact.size());
  for (int64_t c = 0; c < order.channels(); ++c) {
    const float s = scale.as<float>()[c];
    for (int64_t i = 0; i < order.depth(); ++i) {
      exact[i] = x.as<float>()[order.index(c, i)] / s;
      levels[i] = static_cast<int8_t>(std::clamp(std::nearbyint(exact[i]), -127.0f, 127.0f));
    }
    order.Fit(exact, levels);
    for (int64_t i = 0; i < order.depth(); ++i)
      y.mutable_as<float>()[order.index(c, i)] = static_cast<float>(levels[i]) * s;
  }
  return y;
}

TEST(FakeQuantize, FitsPairs) {
  struct Case {
    Dims shape;
    int axis;
  };
  // Filters of even and of odd input channels, depthwise ones, matrices with their channels on
  // either axis, and other tensors.
  const Case cases[] = {{{5, 6, 3, 3}, 0}, {{5, 3, 3, 3}, 0}, {{5, 5, 4}, 0}, {{9, 1, 3, 3}, 0},
                        {{4, 8, 1, 1}, 0}, {{6, 15}, 0},      {{15, 6}, 1},   {{24, 130}, 1},
                        {{6, 5, 3, 3}, 1}, {{2, 7, 9}, 2},    {{1, 4}, 1},    {{7}, 0}};
  for (const Case& c : cases) {
    SCOPED_TRACE(DimsText(c.shape));
    const Tensor x = RandomTensor(c.shape, 1, -4, 4);
    const Tensor scale = RandomTensor({c.shape[c.axis]}, 2, 0.025f, 0.05f);  // some is clamped
    const auto y = RunNode("pare.FakeQuantize", {x, scale}, InPairs(c.axis));
    ASSERT_TRUE(y) << y.error().message();
    const Tensor expected = RoundedInPairs(x, scale, c.axis);
    for (int64_t i = 0; i < x.count(); ++i)
      EXPECT_EQ((*y)[0].as<float>()[i], expected.as<float>()[i]) << i;
  }
}

TEST(FakeQuantize, LeavesWhatIsNoNumberOutOfPairs) {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::Of<float>({1, 6}, {inf, inf, inf, 3.0f, NAN, 127.0f});
  const auto y = RunNode("pare.FakeQuantize", {x, Tensor::Of<float>({1}, {1.0f})}, InPairs(0));
  ASSERT_TRUE(y) << y.error().message();
  const auto values = (*y)[0].as<float>();
  EXPECT_EQ(values[0] + values[1], 128);
  EXPECT_EQ(values[2] + values[3], 128);
  EXPECT_TRUE(std::isnan(values[4]));
  EXPECT_EQ(values[5], 127);
}

TEST(FakeQuantize, RefusesPairsOfOtherThanWeights) {
  const Tensor x = RandomTensor({4, 4}, 1), scales = RandomTensor({4}, 2, 0.1f, 0.2f);
  EXPECT_TRUE(RunNode("pare.FakeQuantize", {x, scales}, InPairs(0)));
  EXPECT_FALSE(RunNode("pare.FakeQuantize", {x, Tensor::Scalar(0.1f)}, InPairs(0)));
  for (const auto& [bound, level] : {std::pair{"lo", -128}, std::pair{"hi", 128}}) {
    graph::Attrs attrs = InPairs(0);
    attrs.set(bound, int64_t{level});
    EXPECT_FALSE(RunNode("pare.FakeQuantize", {x, scales}, attrs)) << bound;
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
