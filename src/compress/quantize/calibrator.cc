#include "compress/quantize/calibrator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace pare::compress {
namespace {

constexpr int kLevels = 256;
constexpr std::string_view kNames[] = {"minmax", "percentile", "entropy", "mse", "outputs", "auto"};

Range WithZero(double lo, double hi) {
  return {static_cast<float>(std::min(lo, 0.0)), static_cast<float>(std::max(hi, 0.0))};
}

Range MinMax(const Histogram& h) { return h.empty() ? Range{} : WithZero(h.min(), h.max()); }

Range Percentile(const Histogram& h) {
  constexpr double kOutside = 1e-5;  // on each side
  const auto limit = static_cast<int64_t>(static_cast<double>(h.count()) * kOutside);
  int low = 0, high = Histogram::kBins - 1;
  for (int64_t seen = h.bins()[low]; seen <= limit && low < high; seen += h.bins()[low]) ++low;
  for (int64_t seen = h.bins()[high]; seen <= limit && low < high; seen += h.bins()[high]) --high;
  const Range all = MinMax(h);
  return WithZero(std::max<double>(h.lower(low), all.lo),
                  std::min(h.lower(high) + h.width(), double{all.hi}));
}

// KL(P ‖ Q) of the bins inside [first, last), where P has the outliers in its end bins and Q is P
// represented by 256 levels.
double Divergence(std::span<const int64_t> bins, int first, int last) {
  const int count = last - first;
  std::vector<double> p(bins.begin() + first, bins.begin() + last);
  for (int i = 0; i < first; ++i) p.front() += static_cast<double>(bins[i]);
  for (int i = last; i < Histogram::kBins; ++i) p.back() += static_cast<double>(bins[i]);
  double p_total = 0, q_total = 0;
  for (double value : p) p_total += value;
  std::vector<double> q(count, 0);
  for (int level = 0; level < kLevels; ++level) {
    const int begin = static_cast<int>(int64_t{level} * count / kLevels);
    const int end = static_cast<int>(int64_t{level + 1} * count / kLevels);
    double sum = 0;
    int filled = 0;
    for (int i = begin; i < end; ++i) {
      sum += static_cast<double>(bins[first + i]);
      filled += p[i] != 0;
    }
    for (int i = begin; i < end; ++i) {
      if (p[i] != 0) q[i] = sum / filled;
    }
    q_total += sum;
  }
  if (p_total == 0 || q_total == 0) return 0;
  double divergence = 0;
  for (int i = 0; i < count; ++i) {
    if (p[i] == 0) continue;
    const double qi = std::max(q[i] / q_total, 1e-12);
    divergence += p[i] / p_total * std::log(p[i] / p_total / qi);
  }
  return divergence;
}

// Tries ranges that shrink from the full one on both sides and keeps the one with the least `loss`.
template <typename Loss>
Range SearchShrunk(const Histogram& h, double smallest, Loss loss) {
  const Range full = MinMax(h);
  constexpr int kSteps = 64;
  Range best = full;
  double best_loss = loss(full);
  for (int step = 1; step < kSteps; ++step) {
    const double factor = 1 - (1 - smallest) * step / kSteps;
    const Range range = WithZero(full.lo * factor, full.hi * factor);
    const double candidate = loss(range);
    if (candidate < best_loss) {
      best_loss = candidate;
      best = range;
    }
  }
  return best;
}

Range Entropy(const Histogram& h) {
  return SearchShrunk(h, 0.2, [&](Range range) {
    const auto bin = [&](double value) {
      return static_cast<int>(value / h.width()) + Histogram::kBins / 2;
    };
    const int first =
        std::clamp(static_cast<int>(std::floor(range.lo / h.width())) + Histogram::kBins / 2, 0,
                   Histogram::kBins - 1);
    const int last = std::clamp(bin(range.hi) + 1, first + 1, Histogram::kBins);
    // Fewer bins than levels represent the distribution exactly: no reason to prefer that.
    return last - first <= kLevels ? INFINITY : Divergence(h.bins(), first, last);
  });
}

Range Mse(const Histogram& h) {
  // One side may want another cut than the other: first both, then each alone.
  Range best = SearchShrunk(h, 0.1, [&](Range range) { return QuantizationError(h, range); });
  double best_error = QuantizationError(h, best);
  for (const bool low_side : {true, false}) {
    const Range start = best;
    for (int step = 1; step < 32; ++step) {
      const auto factor = static_cast<float>(1 - step / 40.0);
      const Range range =
          low_side ? Range{start.lo * factor, start.hi} : Range{start.lo, start.hi * factor};
      const double error = QuantizationError(h, range);
      if (error < best_error) {
        best_error = error;
        best = range;
      }
    }
  }
  return best;
}

}  // namespace

std::string_view CalibratorName(Calibrator calibrator) {
  return kNames[static_cast<int>(calibrator)];
}

Result<Calibrator> ParseCalibrator(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<Calibrator>(i);
  }
  return Fail(ErrorKind::kUsage, Text("there is no calibrator \"", name, "\""),
              "minmax, percentile, entropy, mse, outputs and auto are there");
}

QuantParams ToParams(Range range) {
  const float lo = std::min(range.lo, 0.0f), hi = std::max(range.hi, 0.0f);
  // A tensor of zeros still needs a scale; a tiny one would overflow when it is divided by.
  const auto scale = static_cast<float>(std::max((double{hi} - lo) / (kLevels - 1), 1e-12));
  const int zero_point = static_cast<int>(std::nearbyint(-lo / scale));
  return {scale, std::clamp(zero_point, 0, kLevels - 1)};
}

double QuantizationError(const Histogram& h, Range range) {
  const QuantParams params = ToParams(range);
  // Rounding inside a bin is uniform where levels are wider than bins; the bin's own spread is
  // added.
  double error = 0;
  for (int i = 0; i < Histogram::kBins; ++i) {
    if (h.bins()[i] == 0) continue;
    const double value = h.center(i);
    const double level =
        std::clamp(std::nearbyint(value / params.scale) + params.zero_point, 0.0, kLevels - 1.0);
    const double difference = value - (level - params.zero_point) * params.scale;
    error += static_cast<double>(h.bins()[i]) * difference * difference;
  }
  return h.count() ? error / static_cast<double>(h.count()) : 0;
}

Range Calibrate(const Histogram& histogram, Calibrator calibrator) {
  if (histogram.empty() || histogram.width() == 0) return MinMax(histogram);
  switch (calibrator) {
    case Calibrator::kPercentile:
      return Percentile(histogram);
    case Calibrator::kEntropy:
      return Entropy(histogram);
    case Calibrator::kMse:
      return Mse(histogram);
    case Calibrator::kMinMax:
    case Calibrator::kOutputs:
    case Calibrator::kAuto:
      break;
  }
  return MinMax(histogram);
}

Calibrated CalibrateAuto(const Histogram& histogram) {
  Calibrated best{Calibrate(histogram, Calibrator::kMinMax), Calibrator::kMinMax};
  double best_error = QuantizationError(histogram, best.range);
  for (const Calibrator by : {Calibrator::kPercentile, Calibrator::kEntropy, Calibrator::kMse}) {
    const Range range = Calibrate(histogram, by);
    const double error = QuantizationError(histogram, range);
    // A cut must earn its keep: clipped outliers are what later samples have more of.
    if (error < best_error * 0.98) {
      best = {range, by};
      best_error = error;
    }
  }
  return best;
}

}  // namespace pare::compress
