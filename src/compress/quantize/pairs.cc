#include "compress/quantize/pairs.h"

#include <cmath>
#include <cstdlib>

namespace pare::compress {
namespace {

constexpr int kMostOfPair = 128;  // 255 · 128 fits in 16 bits, 255 · 129 does not

bool PairFits(int a, int b) {
  return (a < 0) != (b < 0) || std::abs(a) + std::abs(b) <= kMostOfPair;
}

}  // namespace

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

template <typename F>
void PairOrder::EachPair(F f) const {
  for (int64_t place = 0; place + 1 < depth(); place += 2) f(place);
  if (in_ % 2 == 0 || taps_ == 1) return;
  for (int64_t tap = 1; tap < taps_; tap += 2) {  // the others' have been
    for (int64_t i = 0; i + 1 < in_; i += 2) f(tap * in_ + i);
  }
}

void PairOrder::Fit(std::span<const float> exact, std::span<int8_t> levels) const {
  EachPair([&](int64_t place) {
    int8_t &a = levels[place], &b = levels[place + 1];
    while (!PairFits(a, b)) {
      const float above_a = static_cast<float>(std::abs(a)) - std::fabs(exact[place]);
      const float above_b = static_cast<float>(std::abs(b)) - std::fabs(exact[place + 1]);
      int8_t& lowered = above_a >= above_b ? a : b;
      lowered = static_cast<int8_t>(lowered < 0 ? lowered + 1 : lowered - 1);
    }
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

}  // namespace pare::compress
