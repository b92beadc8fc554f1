// Integer weights for engines that add the products of two neighbours in 16 bits (`vpmaddubsw`):
// 255 · (|a| + |b|) must fit where the signs of a and b agree.
#pragma once

#include <span>
#include <vector>

#include "base/tensor.h"

namespace pare::compress {

// The weights of an output channel in the order in which engines multiply them: tap by tap, the
// input channels within. Neighbours from the first on are pairs; where the input channels of a tap
// are odd, those from each tap's first on, too.
class PairOrder {
 public:
  PairOrder(const Dims& shape, int channel_axis);

  int64_t channels() const { return channels_; }
  int64_t depth() const { return taps_ * in_; }  // weights of a channel
  int64_t index(int64_t channel, int64_t place) const;

  // Lowers magnitudes of `levels`, which stand for `exact`, both in this order, until all pairs
  // fit: each time that of a pair which is more above what it stands for.
  void Fit(std::span<const float> exact, std::span<int8_t> levels) const;
  bool Fits(std::span<const int8_t> levels) const;

 private:
  template <typename F>
  void EachPair(F f) const;  // f(place), with the place behind it

  int64_t channels_, taps_ = 1, in_ = 1, inner_ = 1;
  bool filters_;  // [channels, in, taps…]; else the channels are `inner_` apart
};

// Whether these s8 weights have pairs, and all fit.
bool PairsFit(const Tensor& levels, int channel_axis);

}  // namespace pare::compress
