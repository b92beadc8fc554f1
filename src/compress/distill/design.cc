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
constexpr int kBisections = 7;  // widths apart by less round to the same channels

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

Result<Graph> Narrowed(const Graph& graph, const DesignOptions& options, Design& design) {
  const Channels channels = Channels::Of(graph);
  std::vector<KeptUnits> kept;
  for (int i = 0; i < std::ssize(channels.groups()); ++i) {
    const UnitGroup& group = channels.groups()[i];
    if (group.producers.empty()) continue;
    DesignedGroup designed{group.name, group.size, group.size, group.why_not, group.why_inexact};
    if (IsNamed(graph, channels, group, options.keep) && group.prunable) {
      designed.why_not = "asked for by --keep";
    } else if (group.prunable) {
      designed.after = DesignedUnits(group.size, ChannelsOfUnit(channels, i), options.width);
      kept.push_back({i, MostImportant(ImportanceByNorm(graph, channels, i), designed.after)});
    }
    design.groups.push_back(std::move(designed));
  }
  return RemoveChannels(graph, channels, kept);
}

// The widest design of this depth that is within the target; nothing where the narrowest is not.
Result<std::optional<Design>> SearchWidth(const Graph& model, DesignOptions options, double target,
                                          DesignCost cost, Progress& progress, double& least) {
  std::optional<Design> best;
  double low = kLeastWidth, high = 1;
  // Whether a width is within the target; the design is kept where it is.
  const auto fits = [&](double width) -> Result<bool> {
    PARE_TRY(progress.Check());
    options.width = width;
    PARE_ASSIGN(Design design, MakeDesign(model, options));
    PARE_ASSIGN(const double costs, cost(design.graph));
    progress.Advance(1);
    least = std::min(least, costs);
    if (costs > target) return false;
    best = std::move(design);
    return true;
  };
  PARE_ASSIGN(const bool whole, fits(high));
  if (whole) return best;
  PARE_ASSIGN(const bool possible, fits(low));
  if (!possible) return best;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = (low + high) / 2;
    PARE_ASSIGN(const bool good, fits(middle));
    (good ? low : high) = middle;
  }
  return best;
}

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
  PARE_TRY(CheckNotQuantized(
      model, "design from the float model that it was made from, and quantize the student"));
  Design design{.graph = {},
                .width = options.width,
                .depth = options.depth,
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
  PARE_ASSIGN(design.graph, Narrowed(shallow, options, design));
  // By the widths before, so that a narrower design never has a dense layer where a wider has none;
  // of the filters that stay, so that pairs are nearest to them.
  PARE_ASSIGN(design.separated, SeparateLayers(design.graph, LayersToSeparate(shallow, options)));
  return design;
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
    PARE_ASSIGN(std::optional<Design> best,
                SearchWidth(model, tried, target.most, cost, progress, least));
    if (best) return std::move(*best);
  }
  return Fail(ErrorKind::kUnmet,
              Text("no design is within ", target.most, ' ', target.unit,
                   "; the least that was found is ", least),
              options.keep.empty() ? "give a larger target or a smaller --depth"
                                   : "give a larger target, a smaller --depth, or fewer --keep");
}

}  // namespace pare::compress
