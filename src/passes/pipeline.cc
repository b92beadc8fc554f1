#include "passes/pipeline.h"

#include <algorithm>

#include "graph/verify.h"
#include "passes/passes.h"
#include "platform/clock.h"

namespace pare::passes {
namespace {

constexpr Pass kSimplify[] = {
    {"RemoveDead", RemoveDead},        //
    {"FoldConstants", FoldConstants},  //
    {"RemoveIdentities", RemoveIdentities},
    {"DropZeroStates", DropZeroStates},
    {"MergeEqual", MergeEqual},
    {"MergeMoves", MergeMoves},
    {"FormLayerNormOfOpset", FormLayerNormOfOpset},
    {"FoldPad", FoldPad},
    {"FoldBatchNorm", FoldBatchNorm},
    {"FormGlobalPool", FormGlobalPool},
};

constexpr Pass kWiden[] = {{"ComputeInF32", ComputeInF32}};

constexpr Pass kOptimize[] = {
    {"ComputeInF32", ComputeInF32},
    {"FoldConstants", FoldConstants},
    {"RemoveIdentities", RemoveIdentities},
    {"MergeMoves", MergeMoves},
    {"MergeEqual", MergeEqual},
    {"FormLayerNorm", FormLayerNorm},
    {"FormActivations", FormActivations},
    {"FormAttention", FormAttention},
    {"ToChannelsLast", ToChannelsLast},
    {"RemoveIdentities", RemoveIdentities},
    {"MergeMoves", MergeMoves},
    {"FuseBias", FuseBias},
    {"FuseResidual", FuseResidual},
    {"FuseActivation", FuseActivation},
    {"QdqToInteger", QdqToInteger},
    {"FoldQuantizedConstants", FoldQuantizedConstants},
    {"MergeEqual", MergeEqual},
};

constexpr Pass kQuantize[] = {{"FormLayerNorm", FormLayerNorm}};

constexpr Pass kSaturate[] = {{"SaturatePairs", SaturatePairs}};

constexpr Pass kTrain[] = {
    {"FoldConstants", FoldConstants},        //
    {"RemoveIdentities", RemoveIdentities},  //
    {"MergeMoves", MergeMoves},
    {"FormLayerNorm", FormLayerNorm},
    {"FormActivations", FormActivations},
    {"TrainBatchNorm", TrainBatchNorm},
    {"ToChannelsLast", ToChannelsLast},
    {"RemoveIdentities", RemoveIdentities},
    {"MergeMoves", MergeMoves},
};

constexpr Pass kStep[] = {
    {"FoldConstants", FoldConstants},
    {"RemoveIdentities", RemoveIdentities},
    {"MergeMoves", MergeMoves},
    {"MergeEqual", MergeEqual},
    {"FuseBias", FuseBias},
    {"FuseResidual", FuseResidual},
    {"FuseActivation", FuseActivation},
};

bool SwitchedOff(std::string_view switches, std::string_view name) {
  while (!switches.empty()) {
    const size_t end = std::min(switches.find(','), switches.size());
    const std::string_view item = switches.substr(0, end);
    if (!item.empty() && item[0] == '-' && item.substr(1) == name) return true;
    switches.remove_prefix(std::min(end + 1, switches.size()));
  }
  return false;
}

}  // namespace

std::span<const Pass> SimplifyPasses() { return kSimplify; }
std::span<const Pass> QuantizePasses() { return kQuantize; }
std::span<const Pass> WidenPasses() { return kWiden; }
std::span<const Pass> OptimizePasses() { return kOptimize; }
std::span<const Pass> SaturatePasses() { return kSaturate; }

std::span<const Pass> TrainPasses() { return kTrain; }
std::span<const Pass> StepPasses() { return kStep; }

const Pass* FindPass(std::string_view name) {
  for (std::span<const Pass> list :
       {SimplifyPasses(), QuantizePasses(), WidenPasses(), OptimizePasses(), SaturatePasses(),
        TrainPasses(), StepPasses()}) {
    const auto at =
        std::find_if(list.begin(), list.end(), [&](const Pass& pass) { return pass.name == name; });
    if (at != list.end()) return &*at;
  }
  return nullptr;
}

std::string LogText(const PassLog& log) {
  std::string text;
  for (const PassLog::Entry& entry : log.entries) {
    if (entry.changes.empty()) continue;
    text += Text(entry.pass, "  ", entry.ms, " ms");
    for (const auto& [rule, count] : entry.changes) text += Text("  ", rule, " ", count);
    text += '\n';
  }
  return text;
}

Status RunPasses(graph::Graph& graph, std::span<const Pass> passes, PassLog* log,
                 const PassOptions& options) {
  PassContext context(graph, options.max_patches,
                      [&](std::string_view rule) { return !SwitchedOff(options.switches, rule); });
  context.set_strict(options.verify);
  PARE_TRY(context.Infer());
  for (const Pass& pass : passes) {
    if (SwitchedOff(options.switches, pass.name)) continue;
    const Stopwatch watch;
    Status status = pass.run(context);
    if (status && options.verify) status = graph::Verify(graph);
    if (!status) return Fail(status.error().at(pass.name));
    if (log) log->entries.push_back({pass.name, watch.ms(), context.TakeCounts()});
  }
  graph.RemoveDead();
  return {};
}

}  // namespace pare::passes
