#include "compress/distill/design.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "compress/prune/blocks.h"
#include "compress/prune/candidates.h"
#include "compress/prune/importance.h"
#include "compress/prune/remove.h"

namespace pare::compress {
namespace {

using graph::Graph;

constexpr double kLeastWidth = 1.0 / 16;

// Of each stage the most important blocks stay, at least one.
std::vector<ResidualBlock> BlocksToRemove(const std::vector<ResidualBlock>& blocks, double depth) {
  std::map<int, std::vector<size_t>> stages;
  for (size_t i = 0; i < blocks.size(); ++i) stages[blocks[i].stage].push_back(i);
  std::vector<bool> stays(blocks.size());
  for (const auto& [stage, members] : stages) {
    std::vector<double> importance;
    for (size_t i : members) importance.push_back(blocks[i].importance);
    const auto count = std::max<int64_t>(
        1, static_cast<int64_t>(std::lround(depth * static_cast<double>(members.size()))));
    for (int64_t place : MostImportant(importance, count)) {
      stays[members[static_cast<size_t>(place)]] = true;
    }
  }
  std::vector<ResidualBlock> gone;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (!stays[i]) gone.push_back(blocks[i]);
  }
  return gone;
}

std::vector<graph::NodeId> LayersToSeparate(const Graph& graph, const DesignOptions& options) {
  if (!options.separable) return {};
  std::vector<graph::NodeId> layers = FindSeparable(graph);
  std::erase_if(layers, [&](graph::NodeId id) {
    return IsLayerNamed(graph, id, graph.node(id).inputs[1], options.keep);
  });
  return layers;
}

// Units that stay, one for each of Design::groups; empty: by the width.
using Widths = std::vector<int64_t>;

Result<Graph> Narrowed(const Graph& graph, const DesignOptions& options, const Widths& widths,
                       Design& design) {
  const Channels channels = Channels::Of(graph);
  std::vector<KeptUnits> kept;
  for (int i = 0; i < std::ssize(channels.groups()); ++i) {
    const UnitGroup& group = channels.groups()[i];
    if (group.producers.empty()) continue;
    DesignedGroup designed{group.name, group.size, group.size, group.why_not, group.why_inexact};
    if (IsNamed(graph, channels, group, options.keep) && group.prunable) {
      designed.why_not = "asked for by --keep";
    } else if (group.prunable) {
      designed.after = widths.empty()
                           ? DesignedUnits(group.size, ChannelsOfUnit(channels, i), options.width)
                           : widths[design.groups.size()];
      kept.push_back({i, MostImportant(ImportanceByNorm(graph, channels, i), designed.after)});
    }
    design.groups.push_back(std::move(designed));
  }
  return RemoveChannels(graph, channels, kept);
}

Result<Design> MakeDesignOf(const Graph& model, const DesignOptions& options,
                            const Widths& widths) {
  PARE_TRY(CheckNotQuantized(
      model, "design from the float model that it was made from, and quantize the student"));
  Design design{.graph = {},
                .width = options.width,
                .depth = options.depth,
                .cost = 0,
                .groups = {},
                .removed_blocks = {},
                .separated = {},
                .blocks = 0};
  const auto blocks = FindBlocks(model);
  design.blocks = static_cast<int>(blocks.size());
  PARE_TRY(CheckKeepPatterns(model, Channels::Of(model), options.keep));
  auto gone = BlocksToRemove(blocks, options.depth);
  std::erase_if(
      gone, [&](const ResidualBlock& block) { return HasNamedLayer(model, block, options.keep); });
  for (const ResidualBlock& block : gone) design.removed_blocks.push_back(block.name);
  PARE_ASSIGN(const Graph shallow, RemoveBlocks(model, gone));
  PARE_ASSIGN(design.graph, Narrowed(shallow, options, widths, design));
  // By the widths before, so that a narrower design never has a dense layer where a wider has none;
  // of the filters that stay, so that pairs are nearest to them.
  PARE_ASSIGN(design.separated, SeparateLayers(design.graph, LayersToSeparate(shallow, options)));
  return design;
}

Widths WidthsOf(const Design& design) {
  Widths widths;
  for (const DesignedGroup& group : design.groups) widths.push_back(group.after);
  return widths;
}

// The widest design of one depth that is within the target. One width for all groups comes first.
// It moves whole steps of many groups at once, so what it leaves of the target is spent on groups
// one by one, and, if that is not enough, on single units.
class WidthSearch {
 public:
  WidthSearch(const Graph& model, const DesignOptions& options, double target, DesignCost cost,
              Progress& progress)
      : model_(model), options_(options), target_(target), cost_(cost), progress_(progress) {}

  // Nothing where the narrowest is not within the target.
  Result<std::optional<Design>> Run() {
    PARE_TRY(ByWidth());
    if (best_ && !IsNear(kNear)) PARE_TRY(ByGroups());
    if (best_ && !IsNear(kEnough)) PARE_TRY(ByUnits());
    return std::move(best_);
  }
  double least() const { return least_; }

 private:
  // Of the target: where no further design is tried; where no group gets an uncommon width.
  static constexpr double kNear = 0.97, kEnough = 0.85;
  static constexpr int kBisections = 7;  // widths apart by less round to the same channels
  static constexpr int kUnitBisections = 5;
  static constexpr int kRounds =
      4;  // over the groups, each of which leaves out one that is too large

  bool IsNear(double part) const { return best_->cost >= part * target_; }

  // Whether a design is within the target. Each that is tried is wider than the best, and becomes
  // it where it fits.
  Result<bool> Fits(const Widths& widths) {
    PARE_TRY(progress_.Check());
    PARE_ASSIGN(Design design, MakeDesignOf(model_, options_, widths));
    PARE_ASSIGN(const double costs, cost_(design.graph));
    progress_.Advance(1);
    least_ = std::min(least_, costs);
    if (costs > target_) {
      if (widths.empty()) above_ = WidthsOf(design);
      return false;
    }
    design.cost = costs;
    best_ = std::move(design);
    return true;
  }

  Result<bool> FitsWidth(double width) {
    options_.width = width;
    return Fits({});
  }

  Status ByWidth() {
    double low = kLeastWidth, high = 1;
    PARE_ASSIGN(const bool whole, FitsWidth(high));
    if (whole) return {};
    PARE_ASSIGN(const bool possible, FitsWidth(low));
    if (!possible) return {};
    for (int i = 0; i < kBisections; ++i) {
      const double middle = (low + high) / 2;
      PARE_ASSIGN(const bool good, FitsWidth(middle));
      (good ? low : high) = middle;
    }
    options_.width = low;
    return {};
  }

  // Groups that would be wider in the narrowest design that was too large: first those from which
  // rounding took most.
  std::vector<size_t> GroupsToWiden() const {
    std::vector<size_t> groups;
    for (size_t i = 0; i < above_.size(); ++i) {
      if (above_[i] > best_->groups[i].after) groups.push_back(i);
    }
    const auto part = [&](size_t i) {
      const DesignedGroup& group = best_->groups[i];
      return static_cast<double>(group.after) / static_cast<double>(group.before);
    };
    std::ranges::stable_sort(groups, {}, part);
    return groups;
  }

  // As many of the first groups as fit go to the next width; then those behind the one that didn't.
  Status ByGroups() {
    std::vector<size_t> groups = GroupsToWiden();
    for (int round = 0; round < kRounds && !groups.empty() && !IsNear(kNear); ++round) {
      const Widths from = WidthsOf(*best_);
      size_t fit = 0, too_many = groups.size() + 1;
      while (too_many - fit > 1) {
        const size_t count = (fit + too_many) / 2;
        Widths widths = from;
        for (size_t i = 0; i < count; ++i) widths[groups[i]] = above_[groups[i]];
        PARE_ASSIGN(const bool good, Fits(widths));
        (good ? fit : too_many) = count;
      }
      groups.erase(groups.begin(), groups.begin() + std::min(fit + 1, groups.size()));
    }
    return {};
  }

  // The same part of the way to the next width for all groups that are not there.
  Status ByUnits() {
    const Widths from = WidthsOf(*best_);
    const std::vector<size_t> groups = GroupsToWiden();
    if (groups.empty()) return {};
    double low = 0, high = 1;
    for (int i = 0; i < kUnitBisections; ++i) {
      const double middle = (low + high) / 2;
      Widths widths = from;
      for (size_t group : groups) {
        const double step = static_cast<double>(above_[group] - from[group]);
        widths[group] = from[group] + std::llround(middle * step);
      }
      PARE_ASSIGN(const bool good, Fits(widths));
      (good ? low : high) = middle;
    }
    return {};
  }

  const Graph& model_;
  DesignOptions options_;
  const double target_;
  DesignCost cost_;
  Progress& progress_;
  std::optional<Design> best_;
  double least_ = INFINITY;
  Widths above_;  // of the last width that was too large
};

}  // namespace

int64_t DesignedUnits(int64_t size, int64_t channels, double width) {
  const double asked = width * static_cast<double>(size * channels);
  if (width >= 1) return size;
  int64_t result = std::max<int64_t>(4, std::lround(asked));
  if (size * channels >= 16) {
    for (int64_t multiple : {4, 8}) {
      const int64_t rounded = std::max<int64_t>(1, std::lround(asked / multiple)) * multiple;
      const bool near = std::abs(static_cast<double>(rounded) - asked) <= 0.15 * asked;
      if (multiple == 4 || near) result = rounded;
    }
  }
  const int64_t units = std::lround(static_cast<double>(result) / static_cast<double>(channels));
  return std::clamp<int64_t>(units, 1, size);
}

Result<Design> MakeDesign(const Graph& model, const DesignOptions& options) {
  return MakeDesignOf(model, options, {});
}

Result<Design> SearchDesign(const Graph& model, const DesignOptions& options,
                            std::optional<double> depth, const DesignTarget& target,
                            DesignCost cost, Progress& progress) {
  std::vector<double> depths{1, 0.75, 0.5, 0.25};
  if (depth) depths = {*depth};
  double least = INFINITY;
  DesignOptions tried = options;
  for (double part : depths) {
    tried.depth = part;
    WidthSearch search(model, tried, target.most, cost, progress);
    PARE_ASSIGN(std::optional<Design> best, search.Run());
    if (best) return std::move(*best);
    least = std::min(least, search.least());
  }
  const std::string_view smaller = FindBlocks(model).empty() ? "" : ", or a smaller --depth";
  return Fail(ErrorKind::kUnmet,
              Text("no design is within ", target.most, ' ', target.unit,
                   "; the least that was found is ", std::round(1000 * least) / 1000),
              Text("give a larger target", smaller,
                   options.keep.empty() ? "" : "; fewer --keep leave more to cut"));
}

}  // namespace pare::compress
