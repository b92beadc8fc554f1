#include "cli/prune_cut.h"

#include <algorithm>
#include <cmath>

#include "cli/run_record.h"
#include "compress/prune/depth.h"
#include "compress/prune/width_times.h"
#include "onnx/export.h"

namespace pare::cli {
namespace {

// Else the model would be trained as it is. With --depth blocks go in any case.
Status CheckCuts(const PruneCommandOptions& options, double limit, double whole) {
  if (whole <= 0) {
    return Fail(ErrorKind::kUsage, "the model has nothing of what the target counts",
                "give a target of another kind");
  }
  if (options.depth || limit < whole) return {};
  return Fail(ErrorKind::kUsage,
              Text("the target is ", limit / whole, " of what the model has, and cuts nothing"),
              "give a smaller one, or a part of the model's, as 0.5x");
}

Result<double> ExportedBytes(const graph::Graph& graph) {
  PARE_ASSIGN(const std::string bytes, onnx::ExportBytes(graph));
  return static_cast<double>(bytes.size());
}

// Of the file that was given; what is written of one in float16 is in float32, twice as large.
double SizeLimit(const PruneRun& run) {
  return run.options.size->Of(static_cast<double>(run.inputs.deployed.file_bytes()));
}

// Targets of what is counted; a time is measured where it is first needed.
Status CheckTarget(const PruneRun& run) {
  const PruneCommandOptions& options = run.options;
  if (options.size) {
    PARE_ASSIGN(const double bytes, ExportedBytes(run.inputs.trainable.graph()));
    return CheckCuts(options, SizeLimit(run), bytes);
  }
  if (!options.macs) return {};
  PARE_ASSIGN(const compress::ModelCost cost, run.sample.Cost(run.inputs.trainable.graph()));
  const auto macs = static_cast<double>(cost.macs);
  return CheckCuts(options, options.macs->Of(macs), macs);
}

}  // namespace

Result<std::unique_ptr<Cutter>> Cutter::Make(const PruneRun& run, const graph::Graph& graph,
                                             Start start) {
  if (start == Start::kWhole) PARE_TRY(CheckTarget(run));
  std::unique_ptr<Cutter> cutter(new Cutter(run, start));
  cutter->start_.graph = graph;
  cutter->reference_ = graph;
  cutter->start_.blocks = static_cast<int>(compress::FindBlocks(graph).size());
  if (run.options.depth) PARE_TRY(cutter->CutBlocks());
  if (run.options.any_width()) PARE_TRY(cutter->Judge());
  return cutter;
}

Status Cutter::CutBlocks() {
  PARE_ASSIGN(const auto error, compress::OutputError::Make(start_.graph, run_.inputs.samples.probe,
                                                            run_.context, run_.console));
  PARE_ASSIGN(compress::DepthCut shallow,
              compress::RemoveLeastBlocks(start_.graph, *run_.options.depth,
                                          run_.options.prune.keep, error, run_.console));
  if (shallow.removed.empty())
    run_.console.Note(Text("--depth ", *run_.options.depth, ": none of ", shallow.blocks,
                           " residual blocks can go"));
  start_.removed_blocks = std::move(shallow.removed);
  start_.graph = std::move(shallow.graph);
  return {};
}

Status Cutter::Judge() {
  PARE_ASSIGN(pruner_, compress::Pruner::Make(start_.graph, run_.how(), &run_.inputs.samples,
                                              run_.context, run_.console));
  std::optional<compress::ChannelCosts> times;
  if (run_.options.measures()) {
    PARE_ASSIGN(times, compress::MeasureWidths(
                           start_.graph, pruner_->channels(), pruner_->candidates(),
                           [&](std::span<const graph::Graph* const> graphs) {
                             return run_.LayerTimes(graphs);
                           },
                           run_.console));
  }
  return SetGoal(std::move(times));
}

Status Cutter::SetGoal(std::optional<compress::ChannelCosts> times) {
  const PruneCommandOptions& options = run_.options;
  const graph::Graph& model = run_.inputs.trainable.graph();
  if (options.latency) {
    const graph::Graph* const one[] = {&model};
    PARE_ASSIGN(const auto ms, run_.Times(one));
    if (from_ == Start::kWhole) PARE_TRY(CheckCuts(options, options.latency->Of(ms[0]), ms[0]));
    const auto relative = [this, ms = ms[0]](const graph::Graph& cut) {
      return run_.RelativeTime(cut, ms);
    };
    goal_ =
        Goal{*std::move(times), std::nullopt, false, ms[0], options.latency->Of(ms[0]), relative};
    return {};
  }
  if (!options.size) return SetCount(std::move(times));
  PARE_ASSIGN(const double whole, ExportedBytes(model));
  goal_ = Goal{compress::ChannelCosts::Bytes(start_.graph, pruner_->channels()),
               std::move(times),
               true,
               whole,
               SizeLimit(run_),
               ExportedBytes};
  return {};
}

// Of MACs; of a limit of the drop, too, which has no cost of its own.
Status Cutter::SetCount(std::optional<compress::ChannelCosts> times) {
  PARE_ASSIGN(auto costs, compress::ChannelCosts::Macs(start_.graph, pruner_->channels(),
                                                       run_.sample.shapes()));
  PARE_ASSIGN(const compress::ModelCost before, run_.sample.Cost(run_.inputs.trainable.graph()));
  const auto whole = static_cast<double>(before.macs);
  const double limit = run_.options.macs ? run_.options.macs->Of(whole) : whole;
  goal_ = Goal{std::move(costs),
               std::move(times),
               false,
               whole,
               limit,
               [this](const graph::Graph& cut) -> Result<double> {
                 PARE_ASSIGN(const compress::ModelCost cost, run_.sample.Cost(cut));
                 return static_cast<double>(cost.macs);
               }};
  return {};
}

Result<CutModel> Cutter::ToTarget(double way) const {
  if (!goal_) return BlocksAlone();
  run_.console.Stage("cutting", 0);
  const double limit = goal_->whole * std::pow(goal_->limit / goal_->whole, way);
  PARE_ASSIGN(const compress::ModelCost model, run_.sample.Cost(run_.inputs.trainable.graph()));
  PARE_ASSIGN(const compress::ModelCost start, run_.sample.Cost(start_.graph));
  const bool costs_more = start.macs == model.macs && limit < goal_->whole;
  using Uncut = compress::Pruner::Uncut;
  PARE_ASSIGN(auto pruned,
              pruner_->CutTo(goal_->plan(), limit, goal_->cost,
                             costs_more ? Uncut::kIsNoAnswer : Uncut::kMayDo, run_.console));
  return Finish(std::move(pruned));
}

Result<CutModel> Cutter::BlocksAlone() const {
  CutModel cut = start_;
  if (run_.options.no_reconstruction || cut.removed_blocks.empty()) return cut;
  PARE_ASSIGN(
      cut.reconstruction,
      compress::Reconstruct(reference_, compress::Channels::Of(reference_), {},
                            run_.inputs.samples.fit, run_.context, run_.console, cut.graph));
  return cut;
}

Result<CutModel> Cutter::ToPart(double part) const {
  const compress::ChannelCosts& costs = goal_->times ? *goal_->times : goal_->costs;
  PARE_ASSIGN(auto pruned, pruner_->Cut({costs}, part * costs.whole()));
  return Finish(std::move(pruned));
}

Result<CutModel> Cutter::Finish(compress::Pruned pruned) const {
  CutModel cut = start_;
  if (!run_.options.no_reconstruction) {
    PARE_ASSIGN(cut.reconstruction, pruner_->Refit(reference_, pruned, run_.inputs.samples.fit,
                                                   run_.context, run_.console));
  }
  std::ranges::move(pruned.removed_blocks, std::back_inserter(cut.removed_blocks));
  cut.groups = std::move(pruned.groups);
  cut.graph = std::move(pruned.graph);
  return cut;
}

Result<CutModel> CompareGroups(const PruneRun& run, graph::Graph left) {
  const graph::Graph& model = run.inputs.trainable.graph();
  CutModel cut;
  compress::PruneOptions any;
  PARE_ASSIGN(cut.groups, compress::ListGroups(model, compress::Channels::Of(model), any));
  PARE_ASSIGN(const auto groups, compress::ListGroups(left, compress::Channels::Of(left), any));
  for (compress::PruneGroup& group : cut.groups) {
    const auto same = std::ranges::find(groups, group.name, &compress::PruneGroup::name);
    group.after = same == groups.end() ? 0 : same->size;
  }
  const auto blocks = compress::FindBlocks(model), stay = compress::FindBlocks(left);
  cut.blocks = static_cast<int>(blocks.size());
  for (const compress::ResidualBlock& block : blocks) {
    if (std::ranges::find(stay, block.name, &compress::ResidualBlock::name) == stay.end())
      cut.removed_blocks.push_back(block.name);
  }
  cut.graph = std::move(left);
  return cut;
}

Status DescribeCut(const PruneRun& run, graph::Graph& graph) {
  const PruneCommandOptions& options = run.options;
  PARE_TRY(
      StoreData(options.training.data, *run.inputs.dataset, run.inputs.trainable, graph.metadata));
  PARE_ASSIGN(Json record, RunRecord({.command = "prune",
                                      .model = options.model,
                                      .data = options.training.data,
                                      .dataset = *run.inputs.dataset,
                                      .seed = options.training.train.seed}));
  record.Set("importance", compress::ImportanceName(options.prune.importance));
  record.Set("reconstruction", !options.no_reconstruction);
  record.Set("max_drop", options.max_drop);
  graph.metadata[kRunKey] = record.Text();
  return {};
}

}  // namespace pare::cli
