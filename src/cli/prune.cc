#include "compress/prune/prune.h"

#include <algorithm>

#include "cli/prune_cut.h"
#include "cli/prune_recover.h"
#include "cli/prune_report.h"
#include "cli/run_record.h"
#include "compress/compare.h"
#include "onnx/export.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "train/parameters.h"

namespace pare::cli {
namespace {

Status ListPrunable(const PruneCommandOptions& options, Console& console) {
  PARE_ASSIGN(const model::Model model, model::Model::Load(options.model, train::kTrainable));
  GroupList list;
  PARE_ASSIGN(list.groups,
              OfModel(compress::ListGroups(model.graph(), compress::Channels::Of(model.graph()),
                                           options.prune),
                      options.model));
  return console.Show(list);
}

Result<compress::Comparison> CompareWith(const PruneRun& run, const std::string& file) {
  PARE_ASSIGN(const model::Model written, model::Model::Load(file));
  compress::CompareOptions compare;
  compare.layer_samples = 0;
  compare.timing.seconds = run.options.seconds;
  const model::Model& whole = run.inputs.deployed;
  return compress::Compare({whole.graph(), whole.file_bytes()},
                           {written.graph(), written.file_bytes()}, run.inputs.dataset,
                           run.inputs.split.verification, whole.preprocess(), run.context, compare,
                           run.console);
}

Result<std::string> CutRecord(const PruneRun& run) {
  PARE_ASSIGN(Json record, RunRecord({.command = "prune",
                                      .model = run.options.model,
                                      .data = run.options.training.data,
                                      .dataset = *run.inputs.dataset,
                                      .seed = run.options.training.train.seed}));
  record.Set("importance", compress::ImportanceName(run.options.prune.importance));
  record.Set("reconstruction", !run.options.no_reconstruction);
  return record.Text();
}

// The exported file itself is compared; it takes its name after that.
Result<compress::Comparison> WriteCut(const PruneRun& run, const graph::Graph& graph) {
  const std::string& output = run.options.training.output;
  PARE_ASSIGN(auto draft, onnx::ExportDraft(graph, output));
  if (!draft) PARE_TRY(onnx::Export(graph, output));
  PARE_ASSIGN(auto comparison, OfModel(CompareWith(run, draft ? draft->path() : output), output));
  if (draft) PARE_TRY(draft->Commit());
  return comparison;
}

Status WritePruned(const PruneRun& run) {
  const PruneCommandOptions& options = run.options;
  const Stopwatch watch;
  PARE_ASSIGN(CutModel cut, OfModel(CutModelOf(run), options.model));
  PruneReport report{.options = options,
                     .groups = std::move(cut.groups),
                     .removed_blocks = std::move(cut.removed_blocks),
                     .blocks = cut.blocks,
                     .reconstruction = std::move(cut.reconstruction),
                     .recovery = {},
                     .comparison = {},
                     .before = {},
                     .after = {},
                     .calibration = run.inputs.samples.fit.samples(),
                     .verification = std::ssize(run.inputs.split.verification),
                     .seconds = watch.seconds(),
                     .notes = {}};
  const graph::Graph& whole = run.inputs.trainable.graph();
  PARE_ASSIGN(report.before, run.sample.Cost(whole));
  PARE_ASSIGN(report.after, run.sample.Cost(cut.graph));
  PARE_TRY(StoreData(options.training.data, *run.inputs.dataset, run.inputs.trainable,
                     cut.graph.metadata));
  PARE_ASSIGN(cut.graph.metadata[kRunKey], CutRecord(run));
  if (options.no_recover) {
    PARE_ASSIGN(report.comparison, WriteCut(run, cut.graph));
  } else {
    // An interruption leaves the cut model.
    PARE_TRY(onnx::Export(cut.graph, options.training.output));
    PARE_ASSIGN(TrainingReport recovered, Recover(run, cut.graph));
    report.recovery.emplace(std::move(recovered));
    PARE_ASSIGN(report.comparison,
                OfModel(CompareWith(run, options.training.output), options.training.output));
  }
  const graph::Graph* const both[] = {&whole, &cut.graph};
  PARE_ASSIGN(const auto times, run.Times(both));
  report.ms_before = times[0];
  report.ms_after = times[1];
  report.notes = run.console.notes();
  return run.console.Show(report);
}

Status ShowSensitivity(const PruneRun& run) {
  SensitivityReport report{.file = run.options.sensitivity, .groups = {}, .notes = {}};
  const graph::Graph& whole = run.inputs.trainable.graph();
  const graph::Graph* const one[] = {&whole};
  PARE_ASSIGN(const auto times, run.Times(one));
  report.ms = times[0];
  const auto ms = [&](const graph::Graph& graph) { return run.RelativeTime(graph, report.ms); };
  PARE_ASSIGN(report.groups,
              OfModel(compress::MeasureSensitivity(whole, run.how(), run.inputs.samples,
                                                   run.context, ms, run.console),
                      run.options.model));
  PARE_ASSIGN(AtomicFile file, AtomicFile::Create(report.file));
  PARE_TRY(file.Write(SensitivitySvg(report.groups)));
  PARE_TRY(file.Commit());
  report.notes = run.console.notes();
  return run.console.Show(report);
}

Status PruneModel(const PruneCommandOptions& options, Console& console) {
  PARE_TRY(options.Check());
  if (options.list) return ListPrunable(options, console);
  CommandFiles files = options.training.Files();
  files.Write(options.sensitivity);
  files.Write(CutFile(options));
  PARE_ASSIGN(const PruneInputs inputs, PruneInputs::Open(options, files, console));
  PARE_ASSIGN(const SampleRun sample,
              OfModel(SampleRun::Make(inputs.trainable.graph(), options.shapes), options.model));
  const model::Context context =
      model::Context::Make(AllowedThreads(options.training.threads, console));
  const PruneRun run{options, inputs, sample, context, console};
  return options.sensitivity.empty() ? WritePruned(run) : ShowSensitivity(run);
}

}  // namespace

extern const Command kPruneCommand = {
    .name = "prune",
    .summary = "a smaller, faster model of the same kind: what matters least goes",
    .examples =
        "pare prune model.onnx --list\n"
        "pare prune resnet56.onnx --data pictures/ --target-macs 0.5x -o small.onnx --epochs 20 "
        "\\\n"
        "     --flip --crop-pad 4 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225\n"
        "pare prune mobilenetv2.onnx --data pictures/ --target-latency 0.8x --no-recover -o "
        "small.onnx",
    .run = ParseAndRun<PruneCommandOptions, PruneModel>,
};

}  // namespace pare::cli
