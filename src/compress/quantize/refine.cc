#include "compress/quantize/refine.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace pare::compress {
namespace {

struct Pass {
  std::vector<float> factors;  // of a range
  size_t groups;               // that are looked at
};
const Pass kPasses[] = {{{0.7f, 0.49f, 0.34f, 1.43f}, 6}, {{0.9f, 0.8f, 1.18f}, 3}};
constexpr double kEnough = 0.995;  // an error that falls by less has not fallen
// Models gain by ranges that lose tens of times what the calibrator's do.
constexpr double kMostLost = 150;

struct Candidate {
  std::vector<std::string> values;  // of the group
  double noise_to_signal = 0;       // of rounding alone: step² / 12 over the mean square
  Range range;
};

Range RangeOf(const QuantParams& params) {
  return {static_cast<float>(0 - params.zero_point) * params.scale,
          static_cast<float>(255 - params.zero_point) * params.scale};
}

double MeanPower(const TensorStatistics& statistics) {
  const std::vector<double> power = statistics.ChannelPower();
  return std::accumulate(power.begin(), power.end(), 0.0) /
         static_cast<double>(std::max<size_t>(power.size(), 1));
}

std::vector<Candidate> Coarsest(const Calibration& calibration, const Built& built) {
  std::vector<Candidate> groups(built.scheme.groups);
  for (const auto& [value, group] : built.scheme.group_of) {
    const std::string& name = calibration.graph.value(value).name;
    const auto seen = calibration.statistics.find(name);
    if (seen == calibration.statistics.end()) continue;
    const double power = MeanPower(seen->second);
    const double step = built.params[group].scale;
    groups[group].values.push_back(name);
    groups[group].range = RangeOf(built.params[group]);
    if (power > 0)
      groups[group].noise_to_signal =
          std::max(groups[group].noise_to_signal, step * step / 12 / power);
  }
  std::stable_sort(groups.begin(), groups.end(), [](const Candidate& a, const Candidate& b) {
    return a.noise_to_signal > b.noise_to_signal;
  });
  groups.resize(std::min(groups.size(), kPasses[0].groups));
  return groups;
}

float FactorOf(const Variant& variant, const Candidate& candidate) {
  const auto at = variant.range_factors.find(candidate.values[0]);
  return at == variant.range_factors.end() ? 1 : at->second;
}

// Whether the range times `factor` is not beyond reason for what was seen of all samples (by the
// squared error of its histogram, which of a large tensor holds some of the values): the few
// samples that errors are measured on may lack the largest ones. A rare value may be in neither.
bool Covers(const Calibration& calibration, const Candidate& candidate, float factor) {
  const Range& r = candidate.range;
  return std::ranges::all_of(candidate.values, [&](const std::string& name) {
    const Histogram& seen = calibration.statistics.at(name).histogram;
    return QuantizationError(seen, {r.lo * factor, r.hi * factor}) <=
           kMostLost * QuantizationError(seen, r);
  });
}

}  // namespace

Result<Variant> RefineRanges(const Calibration& calibration, const Built& built, Variant start,
                             double error, BestOf best_of, Progress& progress) {
  const std::vector<Candidate> candidates = Coarsest(calibration, built);
  progress.Stage("refining ranges", 0);
  for (const auto& [factors, groups] : kPasses) {
    for (size_t i = 0; i < std::min(candidates.size(), groups); ++i) {
      if (candidates[i].values.empty()) continue;
      std::vector<Variant> tried;
      for (const float factor : factors) {
        if (!Covers(calibration, candidates[i], factor * FactorOf(start, candidates[i]))) continue;
        tried.push_back(start);
        for (const std::string& value : candidates[i].values)
          tried.back().range_factors.try_emplace(value, 1.0f).first->second *= factor;
      }
      if (tried.empty()) continue;
      PARE_ASSIGN(const Probe::Best best, best_of(tried));
      if (best.error > error * kEnough) continue;
      error = best.error;
      start = std::move(tried[best.index]);
    }
  }
  return start;
}

}  // namespace pare::compress
