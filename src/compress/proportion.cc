#include "compress/proportion.h"

#include <algorithm>
#include <cmath>

namespace pare::compress {
namespace {

constexpr double kZ = 1.959964;  // of the normal distribution, for 95 % on both sides together

Bounds Percent(double middle, double half, double lowest) {
  return {100 * std::max(middle - half, lowest), 100 * std::min(middle + half, 1.0)};
}

}  // namespace

Bounds ShareBounds(int64_t hits, int64_t count) {
  const auto n = static_cast<double>(count);
  const double p = static_cast<double>(hits) / n;
  const double middle = (p + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half = kZ / (1 + kZ * kZ / n) * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  return Percent(middle, half, 0);
}

Bounds ChangeBounds(int64_t lost, int64_t gained, int64_t count) {
  const double n = static_cast<double>(count) + 2;
  const double worse = static_cast<double>(lost + 1) / n;
  const double better = static_cast<double>(gained + 1) / n;
  const double change = better - worse;
  const double half = kZ * std::sqrt((better + worse - change * change) / n);
  return Percent(change, half, -1);
}

std::optional<Bounds> ChangeBounds(const std::vector<bool>& before,
                                   const std::vector<bool>& after) {
  if (before.empty() || before.size() != after.size()) return std::nullopt;
  int64_t lost = 0, gained = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    lost += before[i] && !after[i];
    gained += !before[i] && after[i];
  }
  return ChangeBounds(lost, gained, std::ssize(before));
}

}  // namespace pare::compress
