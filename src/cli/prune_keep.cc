#include "cli/prune_keep.h"

#include "base/hash.h"
#include "graph/text.h"
#include "onnx/export.h"
#include "platform/file.h"
#include "train/parameters.h"
#include "train/run_identity.h"

namespace pare::cli {
namespace {

// Of a cut that a later run goes on from: what it was made from, and how.
constexpr const char* kCutKey = "pare.cut";

std::string CutIdentity(const PruneRun& run) {
  const PruneCommandOptions& o = run.options;
  train::RunIdentity cut;
  cut.AddHash("the model", HashOfText(graph::Print(run.inputs.trainable.graph())));
  cut.Add("--seed", o.training.train.seed);
  cut.Add("the calibration's samples", run.inputs.split.calibration.size());
  cut.Add("--importance", compress::ImportanceName(o.prune.importance));
  cut.Add("--scope", o.prune.scope == compress::PruneScope::kLayer ? "layer" : "global");
  cut.AddSwitch("--allow-inexact", o.prune.allow_inexact);
  cut.AddSwitch("--portable", o.prune.portable);
  cut.AddSwitch("removal of blocks", run.how().blocks);
  cut.AddSwitch("reconstruction", !o.no_reconstruction);
  cut.AddSwitch("measuring", o.measures());
  cut.AddSwitch("for int8", o.for_int8);
  const auto target = [&](std::string_view name, const std::optional<Target>& t) {
    if (t) cut.Add(name, Text(t->value, t->relative ? "x" : ""));
  };
  target("--target-macs", o.macs);
  target("--target-size", o.size);
  target("--target-latency", o.latency);
  if (o.depth) cut.Add("--depth", *o.depth);
  cut.Add("--rounds", o.rounds);
  cut.AddList("--keep", o.prune.keep);
  return cut.text();
}

Result<CutModel> KeptCut(const PruneRun& run, const std::string& kept) {
  PARE_ASSIGN(const model::Model model, model::Model::Load(kept, train::kTrainable));
  graph::Graph graph = model.graph();
  const std::string now = CutIdentity(run), before = graph.metadata[kCutKey];
  if (before != now) {
    return Fail(Error(ErrorKind::kUsage,
                      Text("the cut beside the checkpoint was made by other options: ",
                           train::IdentityDifferences(before, now)),
                      "give the same to go on from it, or begin anew: another --checkpoint, "
                      "without --resume")
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
