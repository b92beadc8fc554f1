#include "cli/prune_cut.h"

#include <algorithm>

#include "compress/prune/depth.h"
#include "compress/prune/width_times.h"
#include "onnx/export.h"
#include "platform/file.h"
#include "train/parameters.h"

namespace pare::cli {
namespace {

// By which costs a cut is planned, and what it really costs.
struct Goal {
  compress::ChannelCosts costs;
  std::optional<compress::ChannelCosts> times;  // what orders the cuts, where that is measured
  bool order_by_both = false;
  double limit = 0;
  std::function<Result<double>(const graph::Graph&)> cost;

  compress::PlanCosts plan() const { return {costs, times ? &*times : nullptr, order_by_both}; }
};

Result<compress::ChannelCosts> MeasureWidths(const PruneRun& run, const graph::Graph& graph,
                                             const compress::Pruner& pruner) {
  return compress::MeasureWidths(
      graph, pruner.channels(), pruner.candidates(),
      [&](std::span<const graph::Graph* const> graphs) { return run.LayerTimes(graphs); },
      run.console);
}

// `graph`: what is cut, the model or what is left of its blocks.
Result<Goal> MakeGoal(const PruneRun& run, const graph::Graph& graph,
                      const compress::Pruner& pruner) {
  const PruneCommandOptions& options = run.options;
  const graph::Graph& whole = run.inputs.trainable.graph();
  std::optional<compress::ChannelCosts> times;
  if (options.measures()) {
    PARE_ASSIGN(times, MeasureWidths(run, graph, pruner));
  }
  if (options.latency) {
    const graph::Graph* const one[] = {&whole};
    PARE_ASSIGN(const auto ms, run.Times(one));
    return Goal{*std::move(times), std::nullopt, false, options.latency->Of(ms[0]),
                [run, ms = ms[0]](const graph::Graph& cut) { return run.RelativeTime(cut, ms); }};
  }
  if (options.macs) {
    PARE_ASSIGN(auto costs,
                compress::ChannelCosts::Macs(graph, pruner.channels(), run.sample.shapes()));
    PARE_ASSIGN(const compress::ModelCost before, run.sample.Cost(whole));
    return Goal{std::move(costs), std::move(times), false,
                options.macs->Of(static_cast<double>(before.macs)),
                [run](const graph::Graph& cut) -> Result<double> {
                  PARE_ASSIGN(const compress::ModelCost cost, run.sample.Cost(cut));
                  return static_cast<double>(cost.macs);
                }};
  }
  return Goal{compress::ChannelCosts::Bytes(graph, pruner.channels()), std::move(times), true,
              options.size->Of(static_cast<double>(run.inputs.deployed.file_bytes())),
              [](const graph::Graph& cut) -> Result<double> {
                PARE_ASSIGN(const std::string bytes, onnx::ExportBytes(cut));
                return static_cast<double>(bytes.size());
              }};
}

Status CutBlocks(const PruneRun& run, CutModel& cut) {
  const graph::Graph& model = run.inputs.trainable.graph();
  PARE_ASSIGN(const auto error, compress::OutputError::Make(model, run.inputs.samples.probe,
                                                            run.context, run.console));
  PARE_ASSIGN(compress::DepthCut shallow,
              compress::RemoveLeastBlocks(model, *run.options.depth, run.options.prune.keep, error,
                                          run.console));
  if (shallow.removed.empty())
    run.console.Note(Text("--depth ", *run.options.depth, ": none of ", shallow.blocks,
                          " residual blocks can go"));
  cut.removed_blocks = std::move(shallow.removed);
  cut.graph = std::move(shallow.graph);
  return {};
}

Status CutWidths(const PruneRun& run, CutModel& cut) {
  PARE_ASSIGN(const auto pruner, compress::Pruner::Make(cut.graph, run.how(), &run.inputs.samples,
                                                        run.context, run.console));
  PARE_ASSIGN(const Goal goal, MakeGoal(run, cut.graph, pruner));
  run.console.Stage("cutting", 0);
  PARE_ASSIGN(compress::Pruned pruned,
              pruner.CutTo(goal.plan(), goal.limit, goal.cost, run.console));
  if (!run.options.no_reconstruction) {
    PARE_ASSIGN(cut.reconstruction, pruner.Refit(run.inputs.trainable.graph(), pruned,
                                                 run.inputs.samples.fit, run.context, run.console));
  }
  std::ranges::move(pruned.removed_blocks, std::back_inserter(cut.removed_blocks));
  cut.groups = std::move(pruned.groups);
  cut.graph = std::move(pruned.graph);
  return {};
}

Result<CutModel> ResumeCut(const PruneRun& run) {
  PARE_ASSIGN(const model::Model model,
              model::Model::Load(CutFile(run.options), train::kTrainable));
  CutModel cut{.graph = model.graph(), .groups = {}, .removed_blocks = {}, .reconstruction = {}};
  compress::PruneOptions any;
  PARE_ASSIGN(cut.groups,
              compress::ListGroups(run.inputs.trainable.graph(),
                                   compress::Channels::Of(run.inputs.trainable.graph()), any));
  PARE_ASSIGN(const auto left,
              compress::ListGroups(cut.graph, compress::Channels::Of(cut.graph), any));
  for (compress::PruneGroup& group : cut.groups) {
    const auto same = std::ranges::find(left, group.name, &compress::PruneGroup::name);
    group.after = same == left.end() ? 0 : same->size;
  }
  const auto stays = compress::FindBlocks(cut.graph);
  for (const auto& block : compress::FindBlocks(run.inputs.trainable.graph())) {
    if (std::ranges::find(stays, block.name, &compress::ResidualBlock::name) == stays.end())
      cut.removed_blocks.push_back(block.name);
  }
  run.console.Note("goes on from the cut that lies beside the checkpoint");
  return cut;
}

}  // namespace

std::string CutFile(const PruneCommandOptions& options) {
  const std::string& checkpoint = options.training.train.checkpoint;
  return checkpoint.empty() ? "" : checkpoint + ".onnx";
}

Result<CutModel> CutModelOf(const PruneRun& run) {
  const graph::Graph& model = run.inputs.trainable.graph();
  const std::string kept = CutFile(run.options);
  CutModel cut{.graph = model, .groups = {}, .removed_blocks = {}, .reconstruction = {}};
  const bool resumes = run.options.training.train.resume && FileExists(kept);
  if (resumes) {
    PARE_ASSIGN(cut, ResumeCut(run));
  }
  cut.blocks = static_cast<int>(compress::FindBlocks(model).size());
  if (resumes) return cut;
  if (run.options.depth) PARE_TRY(CutBlocks(run, cut));
  if (run.options.any_width()) PARE_TRY(CutWidths(run, cut));
  if (kept.empty() || run.options.no_recover) return cut;
  PARE_TRY(onnx::Export(cut.graph, kept));
  // What is trained is what a resumed run will read.
  PARE_ASSIGN(const model::Model written, model::Model::Load(kept, train::kTrainable));
  cut.graph = written.graph();
  return cut;
}

}  // namespace pare::cli
