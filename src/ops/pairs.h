// Integer weights for engines that add the products of two neighbours in 16 bits (`vpmaddubsw`):
// 255 · (|a| + |b|) must fit where the signs of a and b agree.
#pragma once

#include <span>

#include "base/tensor.h"

namespace pare::ops {

inline constexpr int kMostOfPair = 128;  // 255 · 128 fits in 16 bits, 255 · 129 does not

// Lowers magnitudes of the levels a and b, which stand for `exact_a` and `exact_b`, until they fit:
// each time of that which is more above what it stands for.
void FitPair(float exact_a, float exact_b, int8_t& a, int8_t& b);

// The weights of an output channel in the order in which engines multiply them: tap by tap, the
// input channels within. Neighbours from the first on are pairs; where the input channels of a tap
// are odd, those from each tap's first on, too.
class PairOrder {
 public:
  PairOrder(const Dims& shape, int channel_axis);

  int64_t channels() const { return channels_; }
  int64_t channel_stride() const { return inner_; }  // from a channel to the next
  int64_t depth() const { return taps_ * in_; }      // weights of a channel
  int64_t index(int64_t channel, int64_t place) const;

  // f(place), with the place behind it, in the order in which pairs are made to fit.
  template <typename F>
  void EachPair(F f) const;

  // FitPair on all pairs: `levels`, which stand for `exact`, both in this order.
  void Fit(std::span<const float> exact, std::span<int8_t> levels) const;
  bool Fits(std::span<const int8_t> levels) const;

 private:
  int64_t channels_, taps_ = 1, in_ = 1, inner_ = 1;
  bool filters_;  // [channels, in, taps…]; else the channels are `inner_` apart
};

// Whether these s8 weights have pairs, and all fit.
bool PairsFit(const Tensor& levels, int channel_axis);

template <typename F>
void PairOrder::EachPair(F f) const {
  for (int64_t place = 0; place + 1 < depth(); place += 2) f(place);
  if (in_ % 2 == 0 || taps_ == 1) return;
  for (int64_t tap = 1; tap < taps_; tap += 2) {  // the others' have been
    for (int64_t i = 0; i + 1 < in_; i += 2) f(tap * in_ + i);
  }
}

}  // namespace pare::ops
