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

// Vectors as wide as any x86 and ARM has, and four chains of comparisons, which run side by side.
// What is not finite shows in the result, and is then looked for.
Extremes FindExtremes(std::span<const float> values) {
  typedef float Lanes __attribute__((vector_size(16)));
  typedef int Mask __attribute__((vector_size(16)));
  constexpr size_t kChains = 4, kLanes = 4, kStep = kChains * kLanes;
  Lanes low[kChains], high[kChains];
  Mask nan{};
  for (size_t k = 0; k < kChains; ++k) low[k] = Lanes{} + INFINITY, high[k] = Lanes{} - INFINITY;
  const size_t whole = values.size() / kStep * kStep;
  for (size_t i = 0; i < whole; i += kStep) {
#pragma GCC unroll 4
    for (size_t k = 0; k < kChains; ++k) {
      Lanes v;
      std::memcpy(&v, values.data() + i + k * kLanes, sizeof v);
      low[k] = v < low[k] ? v : low[k];
      high[k] = v > high[k] ? v : high[k];
      nan |= v != v;
    }
  }
  Extremes e = FindExtremesOneByOne(values.subspan(whole));
  for (size_t i = 0; i < kStep && whole > 0; ++i) {
    const float least = low[i / kLanes][i % kLanes], most = high[i / kLanes][i % kLanes];
    if (nan[i % kLanes] || std::isinf(least) || std::isinf(most))
      return FindExtremesOneByOne(values);
    e.min = std::min(e.min, least);
    e.max = std::max(e.max, most);
  }
  return e;
}

}  // namespace

void Histogram::Double() {
  constexpr int kHalf = kBins / 2;
  for (int i = 0; i < kHalf / 2; ++i) {
    // Pairs are merged outwards from zero; the emptied outer bins take the new range.
    bins_[kHalf + i] = bins_[kHalf + 2 * i] + bins_[kHalf + 2 * i + 1];
    bins_[kHalf - 1 - i] = bins_[kHalf - 1 - 2 * i] + bins_[kHalf - 2 - 2 * i];
  }
  std::fill(bins_.begin() + kHalf + kHalf / 2, bins_.end(), 0);
  std::fill(bins_.begin(), bins_.begin() + kHalf / 2, 0);
  width_ *= 2;
}

void Histogram::GrowTo(float magnitude) {
  constexpr int kHalf = kBins / 2;
  if (width_ == 0) {  // the first range: a power of two just above
    width_ = std::ldexp(1.0, std::ilogb(magnitude) + 1) / kHalf;
  }
  while (magnitude >= width_ * kHalf) Double();
}

void Histogram::Merge(const Histogram& other) {
  non_finite_ += other.non_finite_;
  if (other.empty()) return;
  const bool first = empty();
  min_ = first ? other.min_ : std::min(min_, other.min_);
  max_ = first ? other.max_ : std::max(max_, other.max_);
  Histogram grown = other;
  if (width_ == 0) width_ = grown.width_;  // zeros alone lie in the same bin at any width
  if (grown.width_ == 0) grown.width_ = width_;
  while (width_ < grown.width_) Double();
  while (grown.width_ < width_) grown.Double();
  for (int i = 0; i < kBins; ++i) bins_[i] += grown.bins_[i];
  count_ += other.count_;
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
  const size_t stride =
      values.size() <= max_binned ? 1 : std::max<size_t>(values.size() / max_binned, 1) | 1;
  int64_t counted = 0;
  for (size_t i = 0; i < values.size(); i += stride) {
    // Shifted before it is cut to an integer: what is not negative is cut downwards.
    const double place = values[i] * per_unit + kBins / 2;
    if (!(place >= 0 && place < kBins)) continue;  // not finite
    ++bins_[static_cast<size_t>(place)];
    ++counted;
  }
  count_ += counted;
}

}  // namespace pare::compress
