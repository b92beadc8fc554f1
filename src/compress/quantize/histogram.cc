#include "compress/quantize/histogram.h"

#include <algorithm>
#include <cmath>

namespace pare::compress {

namespace {

struct Extremes {
  float min, max;
  int64_t non_finite;
};

Extremes FindExtremes(std::span<const float> values) {
  // Four independent chains, so that the loop vectorises; NaN compares false and is left out.
  float low = INFINITY, high = -INFINITY;
  int64_t non_finite = 0;
  for (const float value : values) {
    const bool finite = std::fabs(value) <= 3.4028234e38f;
    non_finite += !finite;
    low = finite && value < low ? value : low;
    high = finite && value > high ? value : high;
  }
  return {low, high, non_finite};
}

}  // namespace

void Histogram::GrowTo(float magnitude) {
  constexpr int kHalf = kBins / 2;
  if (width_ == 0) {  // the first range: a power of two just above
    width_ = std::ldexp(1.0, std::ilogb(magnitude) + 1) / kHalf;
  }
  while (magnitude >= width_ * kHalf) {
    for (int i = 0; i < kHalf / 2; ++i) {
      // Pairs are merged outwards from zero; the emptied outer bins take the new range.
      bins_[kHalf + i] = bins_[kHalf + 2 * i] + bins_[kHalf + 2 * i + 1];
      bins_[kHalf - 1 - i] = bins_[kHalf - 1 - 2 * i] + bins_[kHalf - 2 - 2 * i];
    }
    std::fill(bins_.begin() + kHalf + kHalf / 2, bins_.end(), 0);
    std::fill(bins_.begin(), bins_.begin() + kHalf / 2, 0);
    width_ *= 2;
  }
}

void Histogram::Add(std::span<const float> values, size_t max_binned) {
  const Extremes extremes = FindExtremes(values);
  non_finite_ += extremes.non_finite;
  if (extremes.min > extremes.max) return;  // nothing finite
  const bool first = empty();
  min_ = first ? extremes.min : std::min(min_, extremes.min);
  max_ = first ? extremes.max : std::max(max_, extremes.max);
  const float magnitude = std::max(std::fabs(min_), std::fabs(max_));
  if (magnitude > 0) GrowTo(magnitude);
  const double per_unit = width_ > 0 ? 1 / width_ : 0;
  // An odd stride visits all channels of a channels-last tensor.
  const size_t stride = std::max<size_t>(values.size() / max_binned, 1) | 1;
  for (size_t i = 0; i < values.size(); i += values.size() <= max_binned ? 1 : stride) {
    if (!std::isfinite(values[i])) continue;
    const int bin = static_cast<int>(std::floor(values[i] * per_unit)) + kBins / 2;
    ++bins_[std::clamp(bin, 0, kBins - 1)];
    ++count_;
  }
}

}  // namespace pare::compress
