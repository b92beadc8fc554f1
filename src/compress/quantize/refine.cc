#include "compress/quantize/refine.h"

#include <algorithm>
#include <numeric>

namespace pare::compress {
namespace {

struct Pass {
  float step;     // of a range: its factor
  size_t groups;  // that are looked at
};
constexpr Pass kPasses[] = {{0.7f, 8}, {0.85f, 4}};
constexpr int kMostSteps = 3;      // of a group in a pass
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
                             FunctionRef<Result<double>(const Variant&)> error_of, double& error,
                             Progress& progress) {
  const std::vector<Candidate> candidates = Coarsest(calibration, built);
  progress.Stage("refining ranges", 0);
  // Scales the range again and again while the error falls; returns how often it did.
  const auto descend = [&](const Candidate& candidate, float step, int most) -> Result<int> {
    for (int done = 0; done < most; ++done) {
      Variant tried = start;
      for (const std::string& value : candidate.values)
        tried.range_factors.try_emplace(value, 1.0f).first->second *= step;
      PARE_ASSIGN(const double now, error_of(tried));
      if (now > error * kEnough) return done;
      error = now;
      start = std::move(tried);
    }
    return most;
  };
  for (const Pass& pass : kPasses) {
    for (size_t i = 0; i < std::min(candidates.size(), pass.groups); ++i) {
      PARE_ASSIGN(const int narrowed, descend(candidates[i], pass.step, kMostSteps));
      if (narrowed == 0) PARE_TRY(descend(candidates[i], 1 / pass.step, 1));
    }
  }
  return start;
}

}  // namespace pare::compress
