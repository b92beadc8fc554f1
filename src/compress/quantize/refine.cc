#include "compress/quantize/refine.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace pare::compress {
namespace {

struct Pass {
  float step;     // of a range: its factor
  size_t groups;  // that are looked at
};
constexpr Pass kPasses[] = {{0.7f, 8}, {0.85f, 4}};
constexpr double kEnough = 0.995;  // an error that falls by less has not fallen

struct Candidate {
  std::vector<std::string> values;  // of the group
  double noise_to_signal = 0;       // of rounding alone: step² / 12 over the mean square
};

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

}  // namespace

Result<Variant> RefineRanges(const Calibration& calibration, const Built& built, Variant start,
                             ErrorsOf errors_of, Progress& progress) {
  const std::vector<Candidate> candidates = Coarsest(calibration, built);
  progress.Stage("refining ranges", 0);
  PARE_ASSIGN(const auto first, errors_of(std::span(&start, 1)));
  double error = first[0];
  // Takes the scaled range with the least error if that has fallen; returns its factor, or 1.
  const auto scale = [&](const Candidate& candidate,
                         std::array<float, 2> factors) -> Result<float> {
    std::array<Variant, 2> tried = {start, start};
    for (size_t i = 0; i < factors.size(); ++i) {
      for (const std::string& value : candidate.values)
        tried[i].range_factors.try_emplace(value, 1.0f).first->second *= factors[i];
    }
    PARE_ASSIGN(const auto errors, errors_of(tried));
    const size_t best = errors[1] < errors[0];
    if (errors[best] > error * kEnough) return 1.0f;
    error = errors[best];
    start = std::move(tried[best]);
    return factors[best];
  };
  for (const auto& [step, groups] : kPasses) {
    for (size_t i = 0; i < std::min(candidates.size(), groups); ++i) {
      PARE_ASSIGN(const float first_factor, scale(candidates[i], {step, 1 / step}));
      if (first_factor < 1) PARE_TRY(scale(candidates[i], {step, step * step}));
    }
  }
  return start;
}

}  // namespace pare::compress
