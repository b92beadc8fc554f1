#include "compress/prune/sensitivity.h"

#include <algorithm>

#include "compress/prune/judge.h"

namespace pare::compress {
namespace {

constexpr double kStays[] = {7.0 / 8, 3.0 / 4, 1.0 / 2, 1.0 / 4};

}  // namespace

Result<std::vector<GroupSensitivity>> MeasureSensitivity(const graph::Graph& model,
                                                         const PruneOptions& options,
                                                         const PruneSamples& samples,
                                                         const model::Context& context,
                                                         GraphCost ms, Progress& progress) {
  const Channels channels = Channels::Of(model);
  PARE_ASSIGN(auto listed, ListGroups(model, channels, options));
  PARE_ASSIGN(const auto candidates, CandidatesOf(listed, options));
  PARE_ASSIGN(const OutputError error, OutputError::Make(model, samples.probe, context, progress));
  const Judge judge(model, channels, samples.fit, error, context);
  const JudgeBy by = options.importance == Importance::kActivation ? JudgeBy::kContribution
                                                                   : JudgeBy::kLeastSquares;
  std::vector<GroupSensitivity> groups;
  progress.Stage("measuring groups", std::ssize(candidates));
  for (const PruneCandidate& candidate : candidates) {
    const UnitGroup& group = channels.groups()[candidate.group];
    const auto& widths = candidate.widths;
    PARE_ASSIGN(const auto judged, judge.Eliminate(by, candidate.group, widths[0] - widths.back(),
                                                   CountsNear(kStays, widths), progress));
    progress.Advance(1);
    if (!judged) {
      progress.Note(Text("no layer behind ", group.name, " can be read: it is left out"));
      continue;
    }
    GroupSensitivity& of = groups.emplace_back(GroupSensitivity{group.name, group.size, {}});
    for (size_t i = 0; i < judged->counts.size(); ++i) {
      const auto& order = judged->elimination.order;
      KeptUnits kept{candidate.group, {order.begin() + judged->counts[i], order.end()}};
      std::ranges::sort(kept.units);
      PARE_ASSIGN(const PairScore score, error.Compare(judged->without[i], progress));
      PARE_ASSIGN(const graph::Graph cut, RemoveChannels(model, channels, {&kept, 1}));
      SensitivityPoint& point = of.points.emplace_back();
      point.units = group.size - judged->counts[i];
      point.gone = static_cast<double>(judged->counts[i]) /
                   static_cast<double>(std::max<int64_t>(1, group.size));
      point.error = score.relative_error();
      if (error.classifies()) point.agreement = score.agreement();
      PARE_ASSIGN(point.ms, ms(cut));
    }
  }
  return groups;
}

}  // namespace pare::compress
