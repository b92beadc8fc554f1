#include "compress/quantize/pairs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "compress/quantize/write_qdq.h"

namespace pare::compress {
namespace {

struct Case {
  Dims shape;
  int axis;
};

Tensor RandomWeights(const Dims& shape, uint32_t seed) {
  Tensor weights = Tensor::Make(DType::kF32, shape).value();
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  for (float& value : weights.mutable_as<float>()) value = normal(engine);
  return weights;
}

double SquaredError(const Tensor& weights, const QuantizedWeights& rounded) {
  const Tensor back = DequantizeWeights(rounded);
  double error = 0;
  for (int64_t i = 0; i < weights.count(); ++i)
    error += std::pow(weights.as<float>()[i] - back.as<float>()[i], 2);
  return error;
}

// What 64 levels on either side would leave.
double ErrorOfSevenWholeBits(const Tensor& weights, int axis) {
  std::vector<float> scales = QuantizeWeights(weights, axis, 8).scales;
  for (float& scale : scales) scale *= 127.0f / 64;
  return SquaredError(weights, RoundWeights(weights, axis, 8, scales));
}

TEST(Pairs, FitWithHalfTheErrorOfSevenBits) {
  const Case cases[] = {{{16, 32, 1, 1}, 0}, {{8, 6, 3, 3}, 0}, {{8, 3, 3, 3}, 0}, {{8, 5, 5}, 0},
                        {{40, 24}, 0},       {{40, 24}, 1},     {{33, 7}, 1}};
  uint32_t seed = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(DimsText(c.shape));
    const Tensor weights = RandomWeights(c.shape, ++seed);
    const QuantizedWeights rounded = QuantizeWeights(weights, c.axis, 7);
    EXPECT_TRUE(PairsFit(rounded.values, c.axis));
    EXPECT_FALSE(PairsFit(QuantizeWeights(weights, c.axis, 8).values, c.axis));
    EXPECT_LT(SquaredError(weights, rounded), 0.6 * ErrorOfSevenWholeBits(weights, c.axis));
  }
}

TEST(Pairs, AreNeighboursAmongTheChannelsOfATap) {
  Tensor levels = Tensor::Zeros(DType::kI8, {1, 2, 1, 2}).value();
  const auto at = [&](int channel, int tap) -> int8_t& {
    return levels.mutable_as<int8_t>()[channel * 2 + tap];
  };
  at(0, 0) = at(0, 1) = 100;  // of different taps
  EXPECT_TRUE(PairsFit(levels, 0));
  at(1, 0) = -100;  // signs that don't agree
  EXPECT_TRUE(PairsFit(levels, 0));
  at(1, 0) = 28;
  EXPECT_TRUE(PairsFit(levels, 0));
  at(1, 0) = 29;
  EXPECT_FALSE(PairsFit(levels, 0));
}

// Engines that begin pairs at each tap's first channel, and such as go on over the taps.
TEST(Pairs, OfOddChannelsAreBoth) {
  for (const auto& [a, b] : {std::pair{2, 3}, std::pair{3, 4}}) {
    Tensor levels = Tensor::Zeros(DType::kI8, {1, 3, 2, 1}).value();
    for (const int place : {a, b})  // tap by tap
      levels.mutable_as<int8_t>()[place % 3 * 2 + place / 3] = 65;
    EXPECT_FALSE(PairsFit(levels, 0)) << a;
  }
}

}  // namespace
}  // namespace pare::compress
