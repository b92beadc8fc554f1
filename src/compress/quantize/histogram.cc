#include "compress/quantize/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace pare::compress {

namespace {

struct Extremes {
  float min, max;
  int64_t non_finite;
};

Extremes FindExtremesOneByOne(std::span<const float> values) {
  Extremes e{INFINITY, -INFINITY, 0};
  for (const float value : values) {
    if (!std::isfinite(value)) {
      ++e.non_finite;
      continue;
    }
    e.min = std::min(e.min, value);
    e.max = std::max(e.max, value);
  }
  return e;
}

// Eight independent chains of comparisons, which any x86 or ARM does several at a time. What is not
// finite shows in the result, and is then looked for.
Extremes FindExtremes(std::span<const float> values) {
  typedef float Lanes __attribute__((vector_size(32)));
  typedef int Mask __attribute__((vector_size(32)));
  constexpr size_t kLanes = 8;
  Lanes low{}, high{};
  low += INFINITY;
  high -= INFINITY;
  Mask nan{};
  const size_t whole = values.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    Lanes v;
    std::memcpy(&v, values.data() + i, sizeof v);
    low = v < low ? v : low;
    high = v > high ? v : high;
    nan |= v != v;
  }
  Extremes e = FindExtremesOneByOne(values.subspan(whole));
  for (size_t lane = 0; lane < kLanes && whole > 0; ++lane) {
    if (nan[lane] || std::isinf(low[lane]) || std::isinf(high[lane])) {
      return FindExtremesOneByOne(values);
    }
    e.min = std::min(e.min, low[lane]);
    e.max = std::max(e.max, high[lane]);
  }
  return e;
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
