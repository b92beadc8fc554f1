// From a model to a smaller one within the target that was given, before it is trained.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/prune_run.h"

namespace pare::cli {

// What is left, and how it came about.
struct CutModel {
  graph::Graph graph;
  std::vector<compress::PruneGroup> groups;
  std::vector<std::string> removed_blocks;
  int blocks = 0;
  compress::Reconstruction reconstruction;
};

// A model whose groups are judged and whose layers are timed once, to be cut as often as one likes.
class Cutter {
 public:
  // What an earlier round left was trained already: the target is not checked again, for a time
  // that is measured anew may fall below it.
  enum class Start : uint8_t { kWhole, kEarlierRound };
  // `graph`: the model, or what an earlier round left of it. The blocks that --depth names are gone
  // then. Kept in one place: parts refer to each other.
  static Result<std::unique_ptr<Cutter>> Make(const PruneRun& run, const graph::Graph& graph,
                                              Start start = Start::kWhole);

  // That part of the way, by factors, from the whole model to the target that was given, 0…1.
  Result<CutModel> ToTarget(double way = 1) const;
  // To at most that part of what orders the cuts: of the time, of MACs with --no-measure.
  Result<CutModel> ToPart(double part) const;

 private:
  // By which costs a cut is planned, and what it really costs.
  struct Goal {
    compress::ChannelCosts costs;
    std::optional<compress::ChannelCosts> times;  // what orders the cuts, where that is measured
    bool order_by_both = false;
    double whole = 0, limit = 0;
    std::function<Result<double>(const graph::Graph&)> cost;

    compress::PlanCosts plan() const { return {costs, times ? &*times : nullptr, order_by_both}; }
  };

  Cutter(const PruneRun& run, Start from) : run_(run), from_(from) {}
  Status CutBlocks();
  Status Judge();
  Status SetGoal(std::optional<compress::ChannelCosts> times);
  Status SetCount(std::optional<compress::ChannelCosts> times);
  // What --depth leaves, where widths stay.
  Result<CutModel> BlocksAlone() const;
  Result<CutModel> Finish(compress::Pruned pruned) const;

  const PruneRun& run_;
  const Start from_;
  CutModel start_;          // what widths are cut of
  graph::Graph reference_;  // what layers are fitted to
  std::optional<compress::Pruner> pruner_;
  std::optional<Goal> goal_;
};

// The groups of the model, with what `left` still has of them, and the blocks that it lacks.
Result<CutModel> CompareGroups(const PruneRun& run, graph::Graph left);

// Tells `graph` what it was made by, for its file.
Status DescribeCut(const PruneRun& run, graph::Graph& graph);

}  // namespace pare::cli
