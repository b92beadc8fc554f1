#include <cmath>

#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Attrs;

double At(const Tensor& t, int64_t i) { return double{t.as<float>()[i]}; }

struct Statistics {
  double mean = 0, variance = 0;  // of `count` elements
  double count = 0;
};
// Of one channel of x: f32[N,C,P].
Statistics Of(const Tensor& x, int64_t channel) {
  const int64_t channels = x.shape()[1], pixels = x.shape()[2];
  std::vector<double> values;
  for (int64_t i = 0; i < x.count(); ++i) {
    if (i / pixels % channels == channel) values.push_back(At(x, i));
  }
  Statistics s{.count = static_cast<double>(values.size())};
  for (double v : values) s.mean += v / s.count;
  for (double v : values) s.variance += (v - s.mean) * (v - s.mean) / s.count;
  return s;
}

TEST(BatchNorm, IsTheFormulaOfTheBatchInBothLayouts) {
  const int64_t channels = 19, pixels = 5;
  const Tensor x = RandomTensor({3, channels, pixels}, 1), r = RandomTensor(x.shape(), 2);
  const Tensor scale = RandomTensor({channels}, 3), bias = RandomTensor({channels}, 4);
  const Tensor mean = RandomTensor({channels}, 5), variance = RandomTensor({channels}, 6, 1, 2);
  Attrs attrs{{"epsilon", 0.1f}, {"momentum", 0.75f}, {"activation", "clamp"}};
  attrs.set("activation_lo", 0.0f);
  const auto y = RunNode("pare.BatchNorm", {x, scale, bias, mean, variance, r}, attrs, 5);
  attrs.set("channels_last", int64_t{1});
  const auto last = RunNode(
      "pare.BatchNorm", {ChannelsLast(x), scale, bias, mean, variance, ChannelsLast(r)}, attrs, 5);
  ASSERT_TRUE(y && last);
  for (int64_t i = 0; i < x.count(); ++i) {
    const int64_t c = i / pixels % channels;
    const Statistics s = Of(x, c);
    const double normalized = (At(x, i) - s.mean) / std::sqrt(s.variance + 0.1);
    const double expected = std::max(0.0, normalized * At(scale, c) + At(bias, c) + At(r, i));
    EXPECT_NEAR(At((*y)[0], i), expected, 1e-5);
    EXPECT_NEAR(At((*y)[1], c), s.mean, 1e-6);
    EXPECT_NEAR(At((*y)[2], c), 1 / std::sqrt(s.variance + 0.1), 1e-5);
    EXPECT_NEAR(At((*y)[3], c), 0.75 * At(mean, c) + 0.25 * s.mean, 1e-6);
    const double unbiased = s.variance * s.count / (s.count - 1);
    EXPECT_NEAR(At((*y)[4], c), 0.75 * At(variance, c) + 0.25 * unbiased, 1e-6);
  }
  ExpectNear(ChannelsFirst((*last)[0]), (*y)[0], 1e-5);
  for (int i = 1; i < 5; ++i) ExpectNear((*last)[i], (*y)[i], 1e-5);
}

TEST(BatchNorm, RefusesWhatItCannot) {
  const Tensor x = RandomTensor({2, 3, 4}, 1), vector = RandomTensor({3}, 2, 1, 2);
  const std::vector<Tensor> good{x, vector, vector, vector, vector};
  EXPECT_TRUE(RunNode("pare.BatchNorm", good));
  EXPECT_FALSE(RunNode("pare.BatchNorm", good, {{"activation", "tanh"}}));
  EXPECT_FALSE(RunNode("pare.BatchNorm", good, {{"channels_last", int64_t{1}}}));
  std::vector<Tensor> residual = good;
  residual.push_back(RandomTensor({2, 3, 1}, 3));
  EXPECT_FALSE(RunNode("pare.BatchNorm", residual));
}

}  // namespace
}  // namespace pare::ops
