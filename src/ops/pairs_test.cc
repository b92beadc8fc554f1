#include "ops/pairs.h"

#include <gtest/gtest.h>

namespace pare::ops {
namespace {

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
}  // namespace pare::ops
