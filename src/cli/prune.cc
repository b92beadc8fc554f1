#include "compress/prune/prune.h"

#include <algorithm>

#include "cli/prune_report.h"
#include "cli/run_record.h"
#include "compress/compare.h"
#include "compress/distill/objective.h"
#include "compress/inputs.h"
#include "compress/prune/depth.h"
#include "onnx/export.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "train/parameters.h"

namespace pare::cli {
namespace {

// Model, data and what both lead to.
struct PruneInputs {
  model::Model trainable;  // cut
  model::Model deployed;   // compared with, and learned from
  std::shared_ptr<const data::Dataset> dataset;
  data::Split split;
  compress::PruneSamples samples;
};

struct PruneRun {
  const PruneCommandOptions& options;
  const PruneInputs& inputs;
  const SampleRun& sample;
  const model::Context& context;
  Console& console;

  compress::PruneOptions how() const {
    compress::PruneOptions how = options.prune;
    how.seed = options.training.train.seed;
    return how;
  }
};

// What is left, and how it came about.
struct CutModel {
  graph::Graph graph;
  std::vector<compress::PruneGroup> groups;
  std::vector<std::string> removed_blocks;
  int blocks = 0;
  compress::Reconstruction reconstruction;
};

// By which costs a cut is planned, and what it really costs.
struct Goal {
  compress::ChannelCosts costs;
  double limit;
  std::function<Result<double>(const graph::Graph&)> cost;
};

Status ListPrunable(const PruneCommandOptions& options, Console& console) {
  PARE_ASSIGN(const model::Model model, model::Model::Load(options.model, train::kTrainable));
  GroupList list;
  PARE_ASSIGN(list.groups,
              OfModel(compress::ListGroups(model.graph(), compress::Channels::Of(model.graph()),
                                           options.prune),
                      options.model));
  return console.Show(list);
}

// Every third calibration sample measures what the others fit.
Status LoadSamples(PruneInputs& inputs, Console& console) {
  std::vector<int64_t> fit, probe;
  const auto& all = inputs.split.calibration;
  for (size_t i = 0; i < all.size(); ++i) (i % 3 == 2 ? probe : fit).push_back(all[i]);
  if (probe.empty()) probe = fit;
  const auto load = [&](std::vector<int64_t> indices) {
    return compress::CalibrationBatches::Load(
        inputs.dataset, model::InputSpecs(inputs.trainable.graph()), std::move(indices),
        inputs.trainable.preprocess(), console);
  };
  PARE_ASSIGN(inputs.samples.fit, load(std::move(fit)));
  PARE_ASSIGN(inputs.samples.probe, load(std::move(probe)));
  return {};
}

Result<PruneInputs> OpenInputs(const PruneCommandOptions& options, CommandFiles& files,
                               Console& console) {
  const DataOptions& data = options.training.data;
  PruneInputs inputs;
  PARE_ASSIGN(inputs.trainable, LoadTrainable(options.model, options.training, files, console));
  PARE_ASSIGN(inputs.deployed, model::Model::Load(options.model));
  PARE_TRY(data.ApplyTo(inputs.deployed));
  PARE_ASSIGN(inputs.dataset, data.Open(inputs.deployed, console));
  files.Read(inputs.dataset->files());
  PARE_TRY(files.Check());
  NoteWeights(inputs.deployed, console);
  if (options.alpha.value_or(1) < 1) PARE_TRY(CheckHasLabels(data, *inputs.dataset));
  data::SplitOptions split = options.split;
  split.limit = data.limit;
  split.seed = options.training.train.seed;
  PARE_ASSIGN(inputs.split, data::SplitDataset(*inputs.dataset, split));
  if (!inputs.split.note.empty()) console.Note(inputs.split.note);
  const graph::Graph& graph = inputs.deployed.graph();
  if (compress::ChooseMetric(compress::Metric::kAuto, graph) == compress::Metric::kTop) {
    PARE_TRY(
        CheckLabels(*inputs.dataset, graph, inputs.deployed.preprocess().label_offset, console));
  }
  PARE_TRY(LoadSamples(inputs, console));
  return inputs;
}

// Milliseconds of a graph as those of the whole model times their ratio, which is measured by
// turns: so the same load of the machine disturbs both.
Result<double> RelativeTime(const PruneRun& run, const graph::Graph& graph, double whole_ms) {
  const graph::Graph* const both[] = {&run.inputs.trainable.graph(), &graph};
  PARE_ASSIGN(const auto times,
              run.sample.Time(both, std::min(run.options.seconds, 0.4), run.console));
  return whole_ms * times[1] / times[0];
}

// `graph`: what is cut, the model or what is left of its blocks.
Result<Goal> MakeGoal(const PruneRun& run, const graph::Graph& graph,
                      const compress::Channels& channels) {
  const PruneCommandOptions& options = run.options;
  const graph::Graph& whole = run.inputs.trainable.graph();
  if (options.macs) {
    PARE_ASSIGN(auto costs, compress::ChannelCosts::Macs(graph, channels, run.sample.shapes()));
    PARE_ASSIGN(const compress::ModelCost before, run.sample.Cost(whole));
    return Goal{std::move(costs), options.macs->Of(static_cast<double>(before.macs)),
                [run](const graph::Graph& cut) -> Result<double> {
                  PARE_ASSIGN(const compress::ModelCost cost, run.sample.Cost(cut));
                  return static_cast<double>(cost.macs);
                }};
  }
  if (options.latency) {
    const graph::Graph* const one[] = {&whole};
    PARE_ASSIGN(const auto times,
                run.sample.Time(one, std::min(run.options.seconds, 0.5), run.console));
    PARE_ASSIGN(const auto layers,
                run.sample.LayerTimes(graph, std::min(run.options.seconds, 0.5), run.console));
    return Goal{compress::ChannelCosts::Times(graph, channels, layers),
                options.latency->Of(times[0]),
                [run, ms = times[0]](const graph::Graph& cut) -> Result<double> {
                  return RelativeTime(run, cut, ms);
                }};
  }
  return Goal{compress::ChannelCosts::Bytes(graph, channels),
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
  cut.blocks = shallow.blocks;
  cut.removed_blocks = std::move(shallow.removed);
  cut.graph = std::move(shallow.graph);
  return {};
}

Status CutWidths(const PruneRun& run, CutModel& cut) {
  PARE_ASSIGN(const auto pruner, compress::Pruner::Make(cut.graph, run.how(), &run.inputs.samples,
                                                        run.context, run.console));
  PARE_ASSIGN(const Goal goal, MakeGoal(run, cut.graph, pruner.channels()));
  run.console.Stage("cutting", 0);
  PARE_ASSIGN(compress::Pruned pruned,
              pruner.CutTo(goal.costs, goal.limit, goal.cost, run.console));
  if (!run.options.no_reconstruction) {
    PARE_ASSIGN(cut.reconstruction, pruner.Refit(run.inputs.trainable.graph(), pruned,
                                                 run.inputs.samples.fit, run.context, run.console));
  }
  cut.groups = std::move(pruned.groups);
  cut.graph = std::move(pruned.graph);
  return {};
}

// Where a cut is kept beside the checkpoint of its recovery: times that are measured again, and
// samples that are drawn otherwise, would lead to another one.
std::string CutFile(const PruneCommandOptions& options) {
  const std::string& checkpoint = options.training.train.checkpoint;
  return checkpoint.empty() ? "" : checkpoint + ".onnx";
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
  run.console.Note("goes on from the cut that lies beside the checkpoint");
  return cut;
}

Result<CutModel> Cut(const PruneRun& run) {
  const std::string kept = CutFile(run.options);
  if (run.options.training.train.resume && FileExists(kept)) return ResumeCut(run);
  CutModel cut{.graph = run.inputs.trainable.graph(),
               .groups = {},
               .removed_blocks = {},
               .reconstruction = {}};
  if (run.options.depth) PARE_TRY(CutBlocks(run, cut));
  if (run.options.any_width()) PARE_TRY(CutWidths(run, cut));
  if (kept.empty() || run.options.no_recover) return cut;
  PARE_TRY(onnx::Export(cut.graph, kept));
  // What is trained is what a resumed run will read.
  PARE_ASSIGN(const model::Model written, model::Model::Load(kept, train::kTrainable));
  cut.graph = written.graph();
  return cut;
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

// Neither trained on nor validated with: what verifies.
compress::TrainingSplit RecoverySplit(const PruneRun& run) {
  const TrainingOptions& training = run.options.training;
  const auto& verifying = run.inputs.split.verification;
  std::vector<int64_t> pool =
      data::DrawSamples(*run.inputs.dataset, training.data.limit, training.train.seed);
  std::erase_if(pool, [&](int64_t i) { return std::ranges::binary_search(verifying, i); });
  const int64_t kept = std::min<int64_t>(training.validation, std::ssize(pool) / 2);
  return compress::DividePool(std::move(pool), kept, training.train.seed);
}

// The cut model is written first, so that an interruption leaves that; then what was learned.
Result<TrainingReport> Recover(const PruneRun& run, const graph::Graph& cut) {
  const PruneCommandOptions& options = run.options;
  PARE_TRY(onnx::Export(cut, options.training.output));
  model::Model student = run.inputs.trainable;
  student.set_graph(cut);
  const graph::Graph& teacher = run.inputs.deployed.graph();
  const bool classifies =
      compress::ChooseMetric(compress::Metric::kAuto, teacher) == compress::Metric::kTop;
  compress::DistillOptions loss;
  if (options.alpha) loss.alpha = static_cast<float>(*options.alpha);
  if (options.temperature) loss.temperature = static_cast<float>(*options.temperature);
  TrainingSetup setup{.dataset = run.inputs.dataset,
                      .split = RecoverySplit(run),
                      .validation = {},
                      .context = run.context};
  setup.validation = {.dataset = setup.dataset,
                      .indices = setup.split.validation,
                      .preprocess = student.preprocess(),
                      .batch = options.training.train.program.batch};
  // Augmented samples hardly come twice.
  compress::TeacherOptions how;
  if (!options.training.train.augment.any()) how.cache_bytes = size_t{256} << 20;
  PARE_ASSIGN(how.shapes, train::StepShapes(cut, run.inputs.dataset, setup.split.training,
                                            student.preprocess(), options.training.train.program));
  PARE_ASSIGN(how.inputs, compress::MatchInputs(cut, teacher));
  std::vector<compress::Teacher> teachers;
  PARE_ASSIGN(teachers.emplace_back(),
              compress::Teacher::Make(
                  teacher, compress::DistillObjective::QuestionsFor(loss, classifies, true),
                  run.context, std::move(how)));
  compress::DistillObjective objective(std::move(teachers), classifies, loss);
  const compress::Likeness likeness = compress::LikenessFor(loss.loss, classifies);
  PARE_ASSIGN(auto score,
              compress::ScoreByReference(teacher, likeness, setup.validation, run.context));
  return RunTraining(options.training,
                     {.model = student,
                      .setup = setup,
                      .objective = objective,
                      .score = std::move(score),
                      .score_name = std::string(compress::LikenessName(likeness)),
                      .command = "prune",
                      .teachers = {options.model}},
                     run.console);
}

Status WritePruned(const PruneRun& run) {
  const PruneCommandOptions& options = run.options;
  const Stopwatch watch;
  PARE_ASSIGN(CutModel cut, OfModel(Cut(run), options.model));
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
    PARE_ASSIGN(TrainingReport recovered, Recover(run, cut.graph));
    report.recovery.emplace(std::move(recovered));
    PARE_ASSIGN(report.comparison,
                OfModel(CompareWith(run, options.training.output), options.training.output));
  }
  const graph::Graph* const both[] = {&whole, &cut.graph};
  PARE_ASSIGN(const auto times, run.sample.Time(both, std::min(options.seconds, 0.5), run.console));
  report.ms_before = times[0];
  report.ms_after = times[1];
  report.notes = run.console.notes();
  return run.console.Show(report);
}

Status ShowSensitivity(const PruneRun& run) {
  SensitivityReport report{.file = run.options.sensitivity, .groups = {}, .notes = {}};
  const graph::Graph& whole = run.inputs.trainable.graph();
  const graph::Graph* const one[] = {&whole};
  PARE_ASSIGN(const auto times,
              run.sample.Time(one, std::min(run.options.seconds, 0.5), run.console));
  report.ms = times[0];
  const auto ms = [&](const graph::Graph& graph) { return RelativeTime(run, graph, report.ms); };
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
  PARE_ASSIGN(const PruneInputs inputs, OpenInputs(options, files, console));
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
