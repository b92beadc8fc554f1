#include "cli/prune_keep.h"

#include "base/hash.h"
#include "graph/text.h"
#include "onnx/export.h"
#include "platform/file.h"
#include "train/parameters.h"

namespace pare::cli {
namespace {

// Of a cut that a later run goes on from: what it was made from, and how.
constexpr const char* kCutKey = "pare.cut";

std::string CutIdentity(const PruneRun& run) {
  const PruneCommandOptions& o = run.options;
  std::string text =
      Text("model ", HexText(HashOfText(graph::Print(run.inputs.trainable.graph()))), ", seed ",
           o.training.train.seed, ", ", run.inputs.split.calibration.size(), " samples, ",
           compress::ImportanceName(o.prune.importance), ", scope ",
           static_cast<int>(o.prune.scope), ", inexact ", int{o.prune.allow_inexact}, ", portable ",
           int{o.prune.portable}, ", blocks ", int{run.how().blocks}, ", fitted ",
           int{!o.no_reconstruction}, ", measured ", int{o.measures()}, ", int8 ", int{o.for_int8});
  const auto target = [&](std::string_view name, const std::optional<Target>& t) {
    if (t) text += Text(", ", name, ' ', t->value, t->relative ? "x" : "");
  };
  target("MACs", o.macs);
  target("bytes", o.size);
  target("ms", o.latency);
  if (o.depth) text += Text(", depth ", *o.depth);
  if (o.rounds > 1) text += Text(", rounds ", o.rounds);
  for (const std::string& pattern : o.prune.keep) text += Text(", keep ", pattern);
  return text;
}

Result<CutModel> KeptCut(const PruneRun& run, const std::string& kept) {
  PARE_ASSIGN(const model::Model model, model::Model::Load(kept, train::kTrainable));
  graph::Graph graph = model.graph();
  const std::string now = CutIdentity(run), before = graph.metadata[kCutKey];
  if (before != now) {
    return Fail(Error(ErrorKind::kUsage,
                      Text("the cut beside the checkpoint was made by other options: ", before,
                           "; now ", now),
                      "give the same options, or start anew without --resume")
                    .at(kept));
  }
  graph.metadata.erase(kCutKey);
  run.console.Note(Text("goes on from the cut beside the checkpoint, ", kept));
  return CompareGroups(run, std::move(graph));
}

// The checkpoints that a run is sure to write.
std::vector<train::TrainOptions> Checkpoints(const PruneCommandOptions& options) {
  std::vector<train::TrainOptions> checkpoints;
  if (options.max_drop || options.training.train.checkpoint.empty()) return checkpoints;
  for (int64_t round = 1; round <= options.rounds; ++round) {
    checkpoints.push_back(options.rounds == 1
                              ? options.training.train
                              : StepTraining(options.training, RoundName(round)).train);
  }
  return checkpoints;
}

}  // namespace

TrainingOptions StepTraining(const TrainingOptions& run, const std::string& step) {
  TrainingOptions training = run;
  training.writes = false;
  if (!training.train.checkpoint.empty()) training.train.checkpoint += "." + step;
  return training;
}

std::string RoundName(int64_t round) { return Text("round-", round); }

std::string CutFile(const train::TrainOptions& train) {
  return train.checkpoint.empty() ? "" : train.checkpoint + ".onnx";
}

Status CheckKept(const PruneCommandOptions& options, CommandFiles& files) {
  for (const train::TrainOptions& train : Checkpoints(options)) {
    PARE_TRY(train::CheckCheckpoint(train));
    if (options.rounds > 1) files.Write(train.checkpoint);  // else one of training's own files
    files.Write(CutFile(train));
  }
  return {};
}

Result<CutModel> KeepCut(const PruneRun& run, const train::TrainOptions& train,
                         FunctionRef<Result<CutModel>()> make) {
  const std::string kept = CutFile(train);
  if (train.resume && FileExists(kept)) return KeptCut(run, kept);
  PARE_TRY(train::CheckCheckpoint(train));
  PARE_ASSIGN(CutModel cut, make());
  if (kept.empty()) return cut;
  cut.graph.metadata[kCutKey] = CutIdentity(run);
  PARE_TRY(onnx::Export(cut.graph, kept));
  // What is trained is what a resumed run will read.
  PARE_ASSIGN(const model::Model written, model::Model::Load(kept, train::kTrainable));
  cut.graph = written.graph();
  cut.graph.metadata.erase(kCutKey);
  return cut;
}

}  // namespace pare::cli
