// The distribution of a tensor's values over all samples, in memory that doesn't grow with them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace pare::compress {

// A histogram whose range doubles when a value falls outside: bins are merged in pairs, so that no
// value is ever lost and none needs to be seen twice. Minimum and maximum are exact.
class Histogram {
 public:
  static constexpr int kBins = 2048;  // half of them on each side of zero

  // Non-finite values are counted apart. Every value goes into the minimum and maximum; of a long
  // span only `max_binned` evenly strided values go into the bins.
  void Add(std::span<const float> values, size_t max_binned = 1 << 11);

  // What both have seen: the same as if one had seen all, in any order.
  void Merge(const Histogram& other);

  int64_t count() const { return count_; }  // of binned values
  int64_t non_finite() const { return non_finite_; }
  bool empty() const { return min_ > max_; }
  float min() const { return min_; }
  float max() const { return max_; }

  // Bin i covers [lower(i), lower(i) + width()).
  double width() const { return width_; }
  double lower(int bin) const { return (bin - kBins / 2) * width_; }
  double center(int bin) const { return lower(bin) + width_ / 2; }
  std::span<const int64_t> bins() const { return bins_; }

 private:
  void GrowTo(float magnitude);
  void Double();

  std::vector<int64_t> bins_ = std::vector<int64_t>(kBins, 0);
  double width_ = 0;  // 0: no value but zero was seen
  int64_t count_ = 0, non_finite_ = 0;
  float min_ = 1, max_ = 0;  // min > max: nothing seen
};

}  // namespace pare::compress
