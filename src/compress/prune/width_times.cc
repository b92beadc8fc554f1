#include "compress/prune/width_times.h"

#include <algorithm>
#include <cmath>

#include "compress/prune/remove.h"

namespace pare::compress {
namespace {

using graph::Graph;

constexpr size_t kGraphsAtOnce = 6;  // beside the whole one: memory
constexpr int64_t kMostGraphs = 96;
constexpr int64_t kMostWidths = 12, kLeastWidths = 2;
// A smaller change is what times differ by that are measured twice.
constexpr double kNoise = 0.03;

// Candidates that can be narrowed at once.
using Together = std::vector<const PruneCandidate*>;

std::vector<Together> ApartInEveryLayer(std::span<const PruneCandidate> candidates,
                                        const ChannelCosts& costs) {
  std::vector<Together> sets;
  for (const PruneCandidate& candidate : candidates) {
    if (candidate.widths.size() < 2) continue;
    const auto fits = [&](const Together& set) {
      return std::ranges::none_of(set, [&](const PruneCandidate* other) {
        return costs.MeetInALayer(candidate.group, other->group);
      });
    };
    const auto set = std::ranges::find_if(sets, fits);
    (set == sets.end() ? sets.emplace_back() : *set).push_back(&candidate);
  }
  return sets;
}

class WidthMeasurement {
 public:
  WidthMeasurement(const Graph& graph, const Channels& channels, TimeLayers measure,
                   Progress& progress)
      : graph_(graph), channels_(channels), measure_(measure), progress_(progress) {}

  // All candidates of `set` at their first widths, then at their second ones …
  Status Measure(const Together& set, int64_t most);
  const std::vector<NarrowedTimes>& narrowed() const { return narrowed_; }

 private:
  // One graph each; their parts are filled.
  Status MeasureSome(std::span<NarrowedTimes> steps);
  Result<Graph> Narrowed(const NarrowedTimes& step) const;

  const Graph& graph_;
  const Channels& channels_;
  TimeLayers measure_;
  Progress& progress_;
  std::vector<NarrowedTimes> narrowed_;
};

// Which units these are makes no difference to the time.
Result<Graph> WidthMeasurement::Narrowed(const NarrowedTimes& step) const {
  std::vector<KeptUnits> kept;
  for (const auto& [group, units] : step.units) {
    KeptUnits& of = kept.emplace_back(KeptUnits{group, {}});
    for (int64_t unit = 0; unit < units; ++unit) of.units.push_back(unit);
  }
  return RemoveChannels(graph_, channels_, kept);
}

Status WidthMeasurement::MeasureSome(std::span<NarrowedTimes> steps) {
  std::vector<Graph> graphs;
  for (const NarrowedTimes& step : steps) {
    PARE_ASSIGN(graphs.emplace_back(), Narrowed(step));
  }
  std::vector<const Graph*> sides{&graph_};
  for (const Graph& graph : graphs) sides.push_back(&graph);
  PARE_ASSIGN(const auto times, measure_(sides));
  const LayerTimes whole = TimesByNode(graph_, times[0]);
  for (size_t i = 0; i < steps.size(); ++i) {
    const LayerTimes narrow = TimesByNode(graph_, times[i + 1]);
    for (const auto& [layer, ms] : whole) {
      const auto at = narrow.find(layer);
      if (at != narrow.end() && ms > 0) steps[i].parts[layer] = at->second / ms;
    }
  }
  progress_.Advance(std::ssize(steps));
  return progress_.Check();
}

Status WidthMeasurement::Measure(const Together& set, int64_t most) {
  std::vector<std::vector<int64_t>> widths;
  size_t steps = 0;
  for (const PruneCandidate* candidate : set) {
    widths.push_back(WidthsToMeasure(candidate->widths, most));
    steps = std::max(steps, widths.back().size());
  }
  std::vector<NarrowedTimes> narrowed(steps);
  for (size_t step = 0; step < steps; ++step) {
    for (size_t i = 0; i < set.size(); ++i) {
      if (step < widths[i].size())
        narrowed[step].units.emplace_back(set[i]->group, widths[i][step]);
    }
  }
  for (size_t first = 0; first < steps; first += kGraphsAtOnce) {
    PARE_TRY(
        MeasureSome(std::span(narrowed).subspan(first, std::min(kGraphsAtOnce, steps - first))));
  }
  // From one width to the next, changes within the noise are none.
  std::map<graph::NodeId, double> last;
  for (NarrowedTimes& step : narrowed) {
    for (auto& [layer, part] : step.parts) {
      double& before = last.try_emplace(layer, 1).first->second;
      if (std::abs(part - before) < kNoise * before) part = before;
      before = part;
    }
  }
  std::ranges::move(narrowed, std::back_inserter(narrowed_));
  return {};
}

}  // namespace

std::vector<int64_t> WidthsToMeasure(const std::vector<int64_t>& widths, int64_t most) {
  const int64_t narrower = std::ssize(widths) - 1;
  int64_t apart = (narrower + most - 1) / most;
  if (apart > 1) apart += apart % 2;
  std::vector<int64_t> chosen;
  for (int64_t i = apart; i <= narrower && apart > 0; i += apart) chosen.push_back(widths[i]);
  if (narrower > 0 && chosen.empty()) chosen.push_back(widths.back());
  if (!chosen.empty() && chosen.back() != widths.back()) {
    if (std::ssize(chosen) == most) chosen.pop_back();
    chosen.push_back(widths.back());
  }
  return chosen;
}

Result<ChannelCosts> MeasureWidths(const Graph& graph, const Channels& channels,
                                   std::span<const PruneCandidate> candidates, TimeLayers measure,
                                   Progress& progress) {
  const Graph* const one[] = {&graph};
  PARE_ASSIGN(const auto times, measure(one));
  const LayerTimes whole = TimesByNode(graph, times[0]);
  const auto in_proportion = ChannelCosts::Times(graph, channels, whole, {});
  const auto sets = ApartInEveryLayer(candidates, in_proportion);
  const int64_t most =
      std::clamp(kMostGraphs / std::max<int64_t>(1, std::ssize(sets)), kLeastWidths, kMostWidths);
  int64_t graphs = 0;
  for (const Together& set : sets) {
    int64_t steps = 0;
    for (const PruneCandidate* candidate : set)
      steps = std::max(steps, std::ssize(WidthsToMeasure(candidate->widths, most)));
    graphs += steps;
  }
  progress.Stage("timing widths", graphs);
  WidthMeasurement measurement(graph, channels, measure, progress);
  for (const Together& set : sets) PARE_TRY(measurement.Measure(set, most));
  return ChannelCosts::Times(graph, channels, whole, measurement.narrowed());
}

}  // namespace pare::compress
