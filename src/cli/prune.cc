#include "compress/prune/prune.h"

#include <algorithm>

#include "cli/prune_cut.h"
#include "cli/prune_drop.h"
#include "cli/prune_keep.h"
#include "cli/prune_recover.h"
#include "cli/prune_report.h"
#include "compress/compare.h"
#include "onnx/export.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "train/augment.h"
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

// On `verification` samples.
Result<compress::Comparison> CompareWith(const PruneRun& run, const std::string& file,
                                         const std::vector<int64_t>& verification) {
  PARE_ASSIGN(const model::Model written, model::Model::Load(file));
  compress::CompareOptions compare;
  compare.layer_samples = 0;
  compare.timing.seconds = run.options.seconds;
  const model::Model& whole = run.inputs.deployed;
  return compress::Compare({whole.graph(), whole.file_bytes()},
                           {written.graph(), written.file_bytes()}, run.inputs.dataset,
                           verification, whole.preprocess(), run.context, compare, run.console);
}

// The exported file itself is compared; it takes its name after that.
Result<compress::Comparison> WriteCut(const PruneRun& run, const graph::Graph& graph) {
  const std::string& output = run.options.training.output;
  PARE_ASSIGN(onnx::Draft draft, onnx::ExportDraft(graph, output));
  PARE_ASSIGN(auto comparison,
              OfModel(CompareWith(run, draft.path(), run.inputs.split.verification), output));
  PARE_TRY(draft.Commit());
  return comparison;
}

// What a run leads to: the model is written.
struct Written {
  CutModel cut;
  std::optional<TrainingReport> recovery;
  compress::Comparison comparison;
  int64_t verification = 0;
  // Judging, cutting, fitting; with --max-drop and --rounds training, too.
  double seconds = 0;
};

// Compares the file that was written with the model.
Status Verify(const PruneRun& run, const std::vector<int64_t>& verification, Written& written) {
  const std::string& output = run.options.training.output;
  written.verification = std::ssize(verification);
  PARE_ASSIGN(written.comparison, OfModel(CompareWith(run, output, verification), output));
  if (written.recovery) written.recovery->bytes = written.comparison.bytes_b;
  return {};
}

Result<Written> WriteTarget(const PruneRun& run) {
  const PruneCommandOptions& options = run.options;
  const Stopwatch watch;
  Written written;
  const auto make = [&]() -> Result<CutModel> {
    PARE_ASSIGN(const auto cutter, Cutter::Make(run, run.inputs.trainable.graph()));
    return cutter->ToTarget();
  };
  PARE_ASSIGN(written.cut, OfModel(KeepCut(run, options.training.train, make), options.model));
  written.seconds = watch.seconds();
  graph::Graph& graph = written.cut.graph;
  PARE_TRY(DescribeCut(run, graph));
  if (options.no_recover) {
    written.verification = std::ssize(run.inputs.split.verification);
    PARE_ASSIGN(written.comparison, WriteCut(run, graph));
    return written;
  }
  // An interruption leaves the cut model.
  PARE_TRY(onnx::Export(graph, options.training.output));
  PARE_ASSIGN(TrainingReport recovered, Recover(run, graph, options.training));
  written.recovery.emplace(std::move(recovered));
  PARE_TRY(Verify(run, run.inputs.split.verification, written));
  return written;
}

// The cut of one round, trained unless that is not wanted, and written.
Status WriteRound(const PruneRun& run, int64_t round, Written& written) {
  const PruneCommandOptions& options = run.options;
  const TrainingOptions training = StepTraining(options.training, RoundName(round));
  const graph::Graph start =
      round == 1 ? run.inputs.trainable.graph() : std::move(written.cut.graph);
  const auto make = [&]() -> Result<CutModel> {
    PARE_ASSIGN(const auto cutter,
                Cutter::Make(run, start,
                             round == 1 ? Cutter::Start::kWhole : Cutter::Start::kEarlierRound));
    return cutter->ToTarget(static_cast<double>(round) / static_cast<double>(options.rounds));
  };
  PARE_ASSIGN(written.cut, OfModel(KeepCut(run, training.train, make), options.model));
  graph::Graph& graph = written.cut.graph;
  PARE_TRY(DescribeCut(run, graph));
  if (options.no_recover) return onnx::Export(graph, options.training.output);
  // Nothing but a whole round replaces what the one before wrote.
  if (round == 1) PARE_TRY(onnx::Export(graph, options.training.output));
  PARE_ASSIGN(TrainingReport recovered, Recover(run, graph, training));
  graph = std::move(recovered.trained.graph);
  written.recovery.emplace(std::move(recovered));
  return onnx::Export(graph, options.training.output);
}

// An interruption leaves what the last whole round wrote; a resumed run finds what the rounds
// before it kept.
Result<Written> WriteRounds(const PruneRun& run) {
  const std::string& output = run.options.training.output;
  const Stopwatch watch;
  Written written;
  for (int64_t round = 1; round <= run.options.rounds; ++round) {
    run.console.Detail(Text("round ", round, " of ", run.options.rounds));
    const Status done = WriteRound(run, round, written);
    if (!done && done.error().kind() == ErrorKind::kCancelled) {
      const bool kept = !run.options.training.train.checkpoint.empty();
      return Fail(Error(ErrorKind::kCancelled, Text("interrupted in round ", round),
                        Text(round == 1 ? "" : "what the rounds before left was written",
                             round == 1 || !kept ? "" : "; ",
                             kept ? "the same command with --resume goes on" : ""))
                      .at(output));
    }
    PARE_TRY(done);
  }
  compress::Reconstruction reconstruction = std::move(written.cut.reconstruction);
  PARE_ASSIGN(written.cut, CompareGroups(run, std::move(written.cut.graph)));
  written.cut.reconstruction = std::move(reconstruction);
  written.seconds = watch.seconds();
  PARE_TRY(Verify(run, run.inputs.split.verification, written));
  return written;
}

Result<Written> WriteHeld(const PruneRun& run) {
  const Stopwatch watch;
  PARE_ASSIGN(HeldCut held, OfModel(HoldMaxDrop(run), run.options.model));
  Written written;
  written.cut = std::move(held.cut);
  if (held.recovery) written.recovery.emplace(*std::move(held.recovery));
  written.seconds = watch.seconds();
  PARE_TRY(Verify(run, held.verification, written));
  return written;
}

Status WritePruned(const PruneRun& run) {
  PARE_ASSIGN(Written written, run.options.max_drop     ? WriteHeld(run)
                               : run.options.rounds > 1 ? WriteRounds(run)
                                                        : WriteTarget(run));
  CutModel& cut = written.cut;
  PruneReport report{.options = run.options,
                     .groups = std::move(cut.groups),
                     .removed_blocks = std::move(cut.removed_blocks),
                     .blocks = cut.blocks,
                     .reconstruction = std::move(cut.reconstruction),
                     .recovery = std::move(written.recovery),
                     .comparison = std::move(written.comparison),
                     .before = {},
                     .after = {},
                     .calibration = run.inputs.samples.fit.samples(),
                     .verification = written.verification,
                     .seconds = written.seconds,
                     .notes = {}};
  const graph::Graph& whole = run.inputs.trainable.graph();
  PARE_ASSIGN(report.before, run.sample.Cost(whole));
  PARE_ASSIGN(report.after, run.sample.Cost(cut.graph));
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
  PARE_TRY(CheckKept(options, files));
  PARE_ASSIGN(const PruneInputs inputs, PruneInputs::Open(options, files, console));
  PARE_TRY(
      OfModel(train::CheckAugmentation(inputs.trainable.graph(), options.training.train.augment),
              options.model));
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
        "small.onnx\n"
        "pare prune mobilenetv2.onnx --data pictures/ --max-drop 1 --no-recover -o small.onnx",
    .run = ParseAndRun<PruneCommandOptions, PruneModel>,
};

}  // namespace pare::cli
