#include "ops/pairs.h"

#include <cmath>
#include <cstdlib>
#include <vector>

namespace pare::ops {
namespace {

bool PairFits(int a, int b) {
  return (a < 0) != (b < 0) || std::abs(a) + std::abs(b) <= kMostOfPair;
}

}  // namespace

void FitPair(float exact_a, float exact_b, int8_t& a, int8_t& b) {
  while (!PairFits(a, b)) {
    const float above_a = static_cast<float>(std::abs(a)) - std::fabs(exact_a);
    const float above_b = static_cast<float>(std::abs(b)) - std::fabs(exact_b);
    int8_t& lowered = above_a >= above_b ? a : b;
    lowered = static_cast<int8_t>(lowered < 0 ? lowered + 1 : lowered - 1);
  }
}

PairOrder::PairOrder(const Dims& shape, int channel_axis)
    : channels_(shape[channel_axis]), filters_(channel_axis == 0 && shape.size() > 2) {
  for (size_t i = 0; i < shape.size(); ++i) {
    const auto axis = static_cast<int>(i);
    if (axis == channel_axis) continue;
    (filters_ && axis > 1 ? taps_ : in_) *= shape[i];
    if (axis > channel_axis) inner_ *= shape[i];
  }
}

int64_t PairOrder::index(int64_t channel, int64_t place) const {
  if (filters_) return (channel * in_ + place % in_) * taps_ + place / in_;
  return (place / inner_ * channels_ + channel) * inner_ + place % inner_;
}

void PairOrder::Fit(std::span<const float> exact, std::span<int8_t> levels) const {
  EachPair([&](int64_t place) {
    FitPair(exact[place], exact[place + 1], levels[place], levels[place + 1]);
  });
}

bool PairOrder::Fits(std::span<const int8_t> levels) const {
  bool fits = true;
  EachPair([&](int64_t place) { fits = fits && PairFits(levels[place], levels[place + 1]); });
  return fits;
}

bool PairsFit(const Tensor& levels, int channel_axis) {
  const PairOrder order(levels.shape(), channel_axis);
  if (order.depth() < 2) return false;  // none
  const auto all = levels.as<int8_t>();
  std::vector<int8_t> channel(static_cast<size_t>(order.depth()));
  for (int64_t c = 0; c < order.channels(); ++c) {
    for (int64_t i = 0; i < order.depth(); ++i) channel[i] = all[order.index(c, i)];
    if (!order.Fits(channel)) return false;
  }
  return true;
}

}  // namespace pare::ops
