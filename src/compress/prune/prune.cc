#include "compress/prune/prune.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compress/prune/candidates.h"
#include "compress/prune/judge.h"
#include "compress/prune/remove.h"
#include "compress/prune/taylor.h"

namespace pare::compress {
namespace {

using graph::Graph;

constexpr int kSearchSteps = 8;
constexpr double kNearTarget = 0.02;  // of a measured cost: nearer is not looked for
// Of the outputs' energy: a model without so much of it has to be learned anew.
constexpr double kHopeless = 0.5;

// Sums of importance ÷ scale in the order of what matters least.
void SetLosses(PruneCandidate& candidate, const std::vector<double>& importance, double scale) {
  candidate.order.resize(importance.size());
  std::iota(candidate.order.begin(), candidate.order.end(), int64_t{0});
  std::ranges::stable_sort(candidate.order, {}, [&](int64_t unit) { return importance[unit]; });
  candidate.loss = {0};
  for (int64_t unit : candidate.order)
    candidate.loss.push_back(candidate.loss.back() + importance[unit] / scale);
}

double SumOf(const std::vector<double>& values) {
  return std::max(std::accumulate(values.begin(), values.end(), 0.0), 1e-30);
}

// "; A; B": the options that leave more to cut, of those that are not so already.
std::string MoreToCut(std::span<const PruneGroup> groups, const PruneOptions& options) {
  const bool inexact = std::ranges::any_of(
      groups, [](const PruneGroup& group) { return group.prunable && !group.exact; });
  std::string text;
  if (!options.keep.empty()) text += "; fewer --keep leave more to cut";
  if (inexact && !options.allow_inexact) text += "; --allow-inexact cuts more groups";
  return text;
}

// Where even the least widths are not within the target.
std::string LargerTarget(std::span<const PruneGroup> groups, const PruneOptions& options) {
  return Text("give a larger target", MoreToCut(groups, options),
              options.portable ? "; --no-portable allows any width" : "");
}

}  // namespace

Result<std::vector<PruneGroup>> ListGroups(const Graph& model, const Channels& channels,
                                           const PruneOptions& options) {
  PARE_TRY(CheckNotQuantized(
      model, "prune the float model that it was made from, and quantize what is left"));
  PARE_TRY(CheckKeepPatterns(model, channels, options.keep));
  std::vector<PruneGroup> groups;
  for (int i = 0; i < std::ssize(channels.groups()); ++i) {
    const UnitGroup& group = channels.groups()[i];
    if (group.producers.empty()) continue;
    PruneGroup& listed =
        groups.emplace_back(PruneGroup{.group = i,
                                       .name = group.name,
                                       .size = group.size,
                                       .after = group.size,
                                       .channels = ChannelsOfUnit(channels, i),
                                       .producers = static_cast<int>(group.producers.size()),
                                       .consumers = static_cast<int>(group.consumers.size()),
                                       .prunable = group.prunable,
                                       .why_not = group.why_not,
                                       .exact = group.exact,
                                       .why_inexact = group.why_inexact});
    if (IsNamed(model, channels, group, options.keep) && group.prunable)
      listed.why_not = "asked for by --keep";
  }
  return groups;
}

Result<std::vector<PruneCandidate>> CandidatesOf(std::vector<PruneGroup>& groups,
                                                 const PruneOptions& options) {
  std::vector<PruneCandidate> candidates;
  for (PruneGroup& group : groups) {
    if (group.why_not.empty() && !group.exact && !options.allow_inexact)
      group.why_not = "its removal is not exact (--allow-inexact): " + group.why_inexact;
    if (!group.why_not.empty()) continue;
    candidates.push_back({.group = group.group,
                          .widths = WidthsOf(group.size, group.channels, options.portable),
                          .order = {},
                          .loss = {}});
  }
  if (!candidates.empty()) return candidates;
  return Fail(ErrorKind::kUsage, "no group of channels can be cut",
              "`pare prune --list` tells why" + MoreToCut(groups, options));
}

void Pruner::JudgeByWeights(PruneCandidate& candidate, Progress& progress) {
  auto importance =
      ImportanceByWeights(*model_, channels_, candidate.group, options_.importance, options_.seed);
  if (importance.empty()) {
    progress.Note(Text("no normalisation follows ", channels_.groups()[candidate.group].name,
                       ": its units are judged by l2"));
    importance = ImportanceByNorm(*model_, channels_, candidate.group);
  }
  // Groups are made comparable by their means.
  SetLosses(candidate, importance, SumOf(importance) / static_cast<double>(importance.size()));
}

// By the squares of norms, as parts of the group's.
void Pruner::JudgeUnread(PruneCandidate& candidate, Progress& progress) {
  progress.Note(Text("no layer behind ", channels_.groups()[candidate.group].name,
                     " tells what its units matter: they are judged by l2"));
  auto squares = ImportanceByNorm(*model_, channels_, candidate.group);
  for (double& value : squares) value *= value;
  SetLosses(candidate, squares, SumOf(squares));
}

Status Pruner::JudgeByLayers(const PruneSamples& samples, const OutputError& error,
                             const model::Context& context, Progress& progress) {
  const Judge judge(*model_, channels_, samples.fit, error, context);
  const JudgeBy by = options_.importance == Importance::kActivation ? JudgeBy::kContribution
                                                                    : JudgeBy::kLeastSquares;
  progress.Stage("judging groups", std::ssize(candidates_));
  for (PruneCandidate& candidate : candidates_) {
    PARE_ASSIGN(const bool judged, judge.Fill(by, candidate, progress));
    if (!judged) JudgeUnread(candidate, progress);
    progress.Advance(1);
  }
  return {};
}

Status Pruner::JudgeByGradients(const PruneSamples& samples, const model::Context& context,
                                Progress& progress) {
  std::vector<int> groups;
  for (const PruneCandidate& candidate : candidates_) groups.push_back(candidate.group);
  PARE_ASSIGN(const auto importance, TaylorImportance(*model_, channels_, groups, samples.fit,
                                                      options_.seed, context, progress));
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const bool told = std::ranges::any_of(importance[i], [](double value) { return value > 0; });
    if (told) SetLosses(candidates_[i], importance[i], 1);
    if (!told) JudgeUnread(candidates_[i], progress);
  }
  return {};
}

Status Pruner::JudgeBySamples(const PruneSamples& samples, const model::Context& context,
                              Progress& progress) {
  PARE_ASSIGN(const OutputError error,
              OutputError::Make(*model_, samples.probe, context, progress));
  PARE_TRY(options_.importance == Importance::kTaylor
               ? JudgeByGradients(samples, context, progress)
               : JudgeByLayers(samples, error, context, progress));
  if (!options_.blocks) return {};
  const auto all = static_cast<int64_t>(FindBlocks(*model_).size());
  PARE_ASSIGN(blocks_,
              OrderBlocks(*model_, (2 * all + 2) / 3, kHopeless, options_.keep, error, progress));
  return {};
}

Result<Pruner> Pruner::Make(const Graph& model, const PruneOptions& options,
                            const PruneSamples* samples, const model::Context& context,
                            Progress& progress) {
  Pruner pruner(model, options);
  PARE_ASSIGN(pruner.groups_, ListGroups(model, pruner.channels_, options));
  PARE_ASSIGN(pruner.candidates_, CandidatesOf(pruner.groups_, options));
  if (NeedsSamples(options.importance)) {
    PARE_DCHECK(samples);
    PARE_TRY(pruner.JudgeBySamples(*samples, context, progress));
  } else {
    for (PruneCandidate& candidate : pruner.candidates_) pruner.JudgeByWeights(candidate, progress);
  }
  return pruner;
}

// The group that blocks are among the costs with them is the last.
ChannelCosts Pruner::WithBlocks(const ChannelCosts& costs) const {
  std::vector<std::vector<graph::NodeId>> branches;
  for (const ResidualBlock& block : blocks_.blocks) branches.push_back(block.branch);
  ChannelCosts with = costs;
  with.AddBlocks(branches);
  return with;
}

Result<Pruned> Pruner::Cut(const PlanCosts& costs, double target) const {
  const ChannelCosts cost = WithBlocks(costs.cost);
  std::optional<ChannelCosts> time;
  if (costs.time) time = WithBlocks(*costs.time);
  const PlanCosts with{cost, time ? &*time : nullptr, costs.order_by_both};
  std::vector<PruneCandidate> candidates = candidates_;
  const int64_t blocks = std::ssize(blocks_.blocks);
  PruneCandidate& depth = candidates.emplace_back();
  depth.group = static_cast<int>(channels_.groups().size());
  for (int64_t left = blocks; left >= 0; --left) depth.widths.push_back(left);
  depth.loss = blocks_.loss;
  const bool global = options_.scope == PruneScope::kGlobal;
  if (!global) candidates.pop_back();

  Pruned pruned{.graph = {}, .groups = groups_, .widths = {}, .removed_blocks = {}, .kept = {}};
  auto widths = (global ? PlanGlobally : PlanByLayer)(candidates, with, target);
  if (!widths) return Fail(widths.error().advise(LargerTarget(groups_, options_)));
  pruned.widths = *std::move(widths);
  const auto units = UnitsThatStay(candidates_, pruned.widths);
  for (size_t i = 0; i < candidates_.size(); ++i)
    pruned.kept.push_back({candidates_[i].group, units[i]});
  PARE_ASSIGN(pruned.graph, RemoveChannels(*model_, channels_, pruned.kept));
  const int64_t gone = blocks - pruned.widths.back();
  for (int64_t i = 0; i < gone; ++i) pruned.removed_blocks.push_back(blocks_.blocks[i].name);
  PARE_ASSIGN(pruned.graph, WithoutFirst(pruned.graph, blocks_, gone));
  for (PruneGroup& group : pruned.groups) {
    const bool left = std::ranges::any_of(channels_.groups()[group.group].producers, [&](int axis) {
      return pruned.graph.node(channels_.axes()[axis].reader.node).live;
    });
    group.after = left ? pruned.widths[group.group] : 0;
  }
  return pruned;
}

bool Pruned::whole() const {
  return removed_blocks.empty() && std::ranges::all_of(groups, [](const PruneGroup& group) {
           return group.after == group.size;
         });
}

// The plan's costs and the real ones differ by a factor that hardly changes from one cut to the
// next; it is learned as one goes.
Result<Pruned> Pruner::CutTo(const PlanCosts& costs, double limit, GraphCost cost, Uncut uncut,
                             Progress& progress) const {
  std::optional<Pruned> best;
  double planned = limit, too_much = INFINITY;
  for (int step = 0; step < kSearchSteps; ++step) {
    PARE_TRY(progress.Check());
    auto tried = Cut(costs, planned);
    if (!tried && best) break;
    if (!tried) return tried;
    PARE_ASSIGN(tried->cost, cost(tried->graph));
    progress.Advance(1);
    const bool answer = uncut == Uncut::kMayDo || !tried->whole();
    const bool within = tried->cost <= limit && answer;
    const double next = planned * limit / std::max(tried->cost, 1e-30);
    if (!within) too_much = std::min(too_much, planned);
    if (within && (!best || tried->cost > best->cost)) best = std::move(*tried);
    if (best && (best->cost > (1 - kNearTarget) * limit || best->whole())) break;
    planned = within ? std::min(next, (planned + std::min(too_much, 1.5 * planned)) / 2)
                     : std::min(next, 0.99 * planned);
  }
  if (best) return std::move(*best);
  return Fail(ErrorKind::kUnmet, Text("no cut that was tried costs at most ", limit),
              LargerTarget(groups_, options_));
}

Result<Reconstruction> Pruner::Refit(const Graph& whole, Pruned& pruned,
                                     const CalibrationBatches& calibration,
                                     const model::Context& context, Progress& progress) const {
  return Reconstruct(whole, channels_, pruned.kept, calibration, context, progress, pruned.graph);
}

}  // namespace pare::compress
