#include "compress/prune/prune.h"

#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/report.h"
#include "cli/run_record.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "compress/compare.h"
#include "compress/widen.h"
#include "data/split.h"
#include "onnx/export.h"
#include "platform/clock.h"
#include "train/parameters.h"

namespace pare::cli {
namespace {

struct PruneCommandOptions {
  std::string model, output;
  bool list = false, no_recover = false, no_reconstruction = false;
  double seconds = compress::TimingOptions().seconds;
  std::optional<Target> macs, size;
  compress::PruneOptions prune;
  data::SplitOptions split{.calibration = 192};
  std::vector<std::string> shapes;
  MachineOptions machine;
  DataOptions data;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Positional("MODEL", model, "a float .onnx file");
    parser.Group("result");
    parser.Option("-o, --output", "FILE", output, "where the pruned model goes");
    parser.Flag("--list", list, "list the groups of channels, and write nothing");
    DeclareSeconds(parser, seconds, "how long to measure times (default 1.5)");
    parser.Group("how small");
    DeclareTarget(parser, "--target-macs", "N", TargetUnit::kMacs, macs,
                  "multiply-accumulates of a sample (30M), or a part of the model's (0.5x)");
    DeclareTarget(parser, "--target-size", "BYTES", TargetUnit::kBytes, size,
                  "of the file (2MB), or a part of the model's (0.4x)");
    DeclareShapes(parser, shapes);
    DeclareChoice(parser);
    parser.Group("calibration and verification");
    parser.Option("--calibration", "N", split.calibration, 1,
                  "samples that units are judged by and layers fitted on (default 192)");
    parser.Option("--verification", "N", split.verification, 1,
                  "of the other samples, how many verify at most (default 1000)");
    parser.Option("--seed", "N", split.seed, 0, "which samples are drawn (default 0)");
    parser.Flag("--no-recover", no_recover, "don't train what is left");
    parser.Flag("--no-reconstruction", no_reconstruction,
                "don't fit the layers behind the cuts: weights stay as they were");
    data.Declare(parser, DataOptions::Need::kOptional);
    machine.Declare(parser);
  }

  void DeclareChoice(Parser& parser) {
    parser.Group("what goes");
    parser.Option("--keep", "PATTERN", prune.keep,
                  "layers that keep their width, by name (repeatable; * and ?)");
    parser.Option(
        "--importance", "NAME",
        [this](std::string_view name) -> Status {
          PARE_ASSIGN(prune.importance, compress::ParseImportance(name));
          return {};
        },
        "reconstruction (default), activation, l1, l2, bn, geometric-median or random");
    parser.Option(
        "--scope", "NAME",
        [this](std::string_view name) -> Status {
          if (name != "global" && name != "layer") {
            return Fail(ErrorKind::kUsage, Text("there is no scope \"", Printable(name), '"'),
                        "global and layer are there");
          }
          prune.scope =
              name == "layer" ? compress::PruneScope::kLayer : compress::PruneScope::kGlobal;
          return {};
        },
        "global (default): where it loses least; layer: the same part of every group");
    parser.Flag("--allow-inexact", prune.allow_inexact,
                "cut groups, too, whose channels a later operator mixes");
    parser.Option(
        "--portable", "",
        [this](std::string_view) -> Status {
          prune.portable = true;
          return {};
        },
        "widths that other engines like as well: multiples of 8 or 4 channels (default)");
    parser.Option(
        "--no-portable", "",
        [this](std::string_view) -> Status {
          prune.portable = false;
          return {};
        },
        "any width");
  }

  Status Check() const {
    if (list) return {};
    const auto fail = [](std::string reason, std::string advice) {
      return Fail(ErrorKind::kUsage, std::move(reason), std::move(advice));
    };
    if (output.empty()) return fail("nothing says where the pruned model goes", "give -o FILE");
    if (macs.has_value() + size.has_value() != 1)
      return fail("one target says how small the model shall be",
                  "give one of --target-macs and --target-size");
    if (data.path.empty())
      return fail("pruning needs samples, to judge and to verify",
                  "give --data PATH; no labels are needed");
    if (!no_recover) {
      return Fail(ErrorKind::kUnsupported, "recovery by training is not a part of this command",
                  "add --no-recover, and teach what is left with `pare distill`");
    }
    return {};
  }
};

struct GroupList {
  std::vector<compress::PruneGroup> groups;
};

Json GroupJson(const compress::PruneGroup& group) {
  return Json::Object({{"name", group.name},
                       {"size", group.size},
                       {"after", group.after},
                       {"channels", group.channels},
                       {"producers", group.producers},
                       {"consumers", group.consumers},
                       {"prunable", group.prunable},
                       {"why_not", group.why_not},
                       {"exact", group.exact},
                       {"why_inexact", group.why_inexact}});
}

Json ToJson(const GroupList& list) {
  return Json::Object({{"groups", Json::ArrayOf(list.groups, GroupJson)}});
}

std::string ToText(const GroupList& list) {
  using Align = Table::Align;
  Table table({{"channels of", Align::kLeft, 40},
               {"units", Align::kRight},
               {"wide", Align::kRight},
               {"made by", Align::kRight},
               {"summed by", Align::kRight},
               {"", Align::kLeft},
               {"", Align::kLeft}});
  int prunable = 0;
  for (const compress::PruneGroup& group : list.groups) {
    const bool free = group.why_not.empty();
    prunable += free;
    table.Add({group.name, std::to_string(group.size), std::to_string(group.channels),
               std::to_string(group.producers), std::to_string(group.consumers),
               !free         ? "stays"
               : group.exact ? "prunable"
                             : "inexact",
               free ? group.why_inexact : group.why_not});
  }
  return Text(table.Text(), '\n', prunable, " of ", list.groups.size(),
              " groups can be pruned; what is inexact needs --allow-inexact\n");
}

struct PruneReport {
  const PruneCommandOptions& options;
  const compress::Pruned& pruned;
  const compress::Reconstruction& reconstruction;
  compress::Comparison comparison;
  compress::ModelCost before, after;
  int64_t calibration = 0, verification = 0;
  double seconds = 0;
  std::vector<std::string> notes;
};

Json ToJson(const PruneReport& report) {
  const auto side = [](const compress::ModelCost& cost, int64_t bytes) {
    return Json::Object({{"macs", cost.macs}, {"parameters", cost.parameters}, {"bytes", bytes}});
  };
  const auto fitted = [](const compress::RefittedLayer& layer) {
    return Json::Object({{"name", layer.name},
                         {"error_before", layer.error_before},
                         {"error_after", layer.error_after}});
  };
  Json json = Json::Object();
  json.Set("output", report.options.output);
  json.Set("importance", compress::ImportanceName(report.options.prune.importance));
  json.Set("before", side(report.before, report.comparison.bytes_a));
  json.Set("after", side(report.after, report.comparison.bytes_b));
  json.Set("groups", Json::ArrayOf(report.pruned.groups, GroupJson));
  json.Set("fitted", Json::ArrayOf(report.reconstruction.layers, fitted));
  json.Set("not_fitted", Json::ArrayOf(report.reconstruction.skipped));
  SetComparison(json, report.comparison);
  json.Set("calibration_samples", report.calibration);
  json.Set("verification_samples", report.verification);
  json.Set("seconds",
           Json::Object({{"prune", report.seconds}, {"verify", report.comparison.verify_seconds}}));
  json.Set("notes", Json::ArrayOf(report.notes));
  return json;
}

std::string CutsText(const compress::Pruned& pruned) {
  using Align = Table::Align;
  Table table({{"channels of", Align::kLeft, 40},
               {"before", Align::kRight},
               {"after", Align::kRight},
               {"", Align::kLeft, 60}});
  for (const compress::PruneGroup& group : pruned.groups) {
    table.Add({group.name, std::to_string(group.size * group.channels),
               std::to_string(group.after * group.channels),
               group.why_not.empty() ? "" : "stays: " + group.why_not});
  }
  return table.Text();
}

std::string ToText(const PruneReport& report) {
  using Align = Table::Align;
  Table table({{"", Align::kLeft},
               {"model", Align::kRight},
               {"pruned", Align::kRight},
               {"", Align::kRight}});
  const auto row = [&](std::string name, int64_t before, int64_t after) {
    const double part =
        static_cast<double>(after) / static_cast<double>(std::max<int64_t>(before, 1));
    table.Add({std::move(name), CountText(before), CountText(after), Fixed(part, 3) + "×"});
  };
  row("MACs", report.before.macs, report.after.macs);
  row("parameters", report.before.parameters, report.after.parameters);
  const ComparisonView view{.comparison = report.comparison,
                            .name_a = "model",
                            .name_b = "pruned",
                            .layers = LayerTable::kNone};
  std::string text =
      Text(CutsText(report.pruned), '\n', table.Text(2), '\n', ComparisonText(view), "\njudged by ",
           compress::ImportanceName(report.options.prune.importance));
  if (!report.reconstruction.layers.empty())
    text += Text(", ", report.reconstruction.layers.size(), " layers fitted on ",
                 report.calibration, " samples");
  if (!report.reconstruction.skipped.empty())
    text += Text(" (", report.reconstruction.skipped.size(), " could not be)");
  return text + Text(" in ", Fixed(report.seconds, 1), " s, verified on ", report.verification,
                     " others\n\nwrote ", Printable(report.options.output), '\n');
}

// Model, data and what both lead to.
struct PruneInputs {
  model::Model trainable;  // cut
  model::Model deployed;   // compared with
  std::shared_ptr<const data::Dataset> dataset;
  data::Split split;
};

Result<model::Model> LoadFloat(const PruneCommandOptions& options, Console& console) {
  PARE_ASSIGN(model::Model model, model::Model::Load(options.model, train::kTrainable));
  PARE_ASSIGN(graph::Graph wide, compress::Widened(model.graph(), console, train::kTrainable));
  model.set_graph(std::move(wide));
  PARE_TRY(options.data.ApplyTo(model));
  return model;
}

Status ListPrunable(const PruneCommandOptions& options, Console& console) {
  PARE_ASSIGN(const model::Model model, model::Model::Load(options.model, train::kTrainable));
  GroupList list;
  PARE_ASSIGN(list.groups,
              OfModel(compress::ListGroups(model.graph(), options.prune), options.model));
  return console.Show(list);
}

// By which costs a cut is planned, and what it really costs.
struct Goal {
  compress::ChannelCosts costs;
  double limit;
  std::function<Result<double>(const graph::Graph&)> cost;
};

Result<Goal> MakeGoal(const PruneCommandOptions& options, const model::Model& model,
                      const compress::Channels& channels, const SampleRun& run) {
  if (options.macs) {
    PARE_ASSIGN(auto costs, compress::ChannelCosts::Macs(model.graph(), channels, run.shapes()));
    PARE_ASSIGN(const compress::ModelCost whole, run.Cost(model.graph()));
    return Goal{std::move(costs), options.macs->Of(static_cast<double>(whole.macs)),
                [&run](const graph::Graph& graph) -> Result<double> {
                  PARE_ASSIGN(const compress::ModelCost cost, run.Cost(graph));
                  return static_cast<double>(cost.macs);
                }};
  }
  return Goal{compress::ChannelCosts::Bytes(model.graph(), channels),
              options.size->Of(static_cast<double>(model.file_bytes())),
              [](const graph::Graph& graph) -> Result<double> {
                PARE_ASSIGN(const std::string bytes, onnx::ExportBytes(graph));
                return static_cast<double>(bytes.size());
              }};
}

Result<std::string> RecordOf(const PruneCommandOptions& options, const data::Dataset& dataset) {
  PARE_ASSIGN(Json record, RunRecord({.command = "prune",
                                      .model = options.model,
                                      .data = options.data,
                                      .dataset = dataset,
                                      .seed = options.split.seed}));
  record.Set("importance", compress::ImportanceName(options.prune.importance));
  record.Set("reconstruction", !options.no_reconstruction);
  return record.Text();
}

// The exported file itself is compared; it takes its name after that.
Result<compress::Comparison> VerifyPruned(const PruneCommandOptions& options,
                                          const PruneInputs& inputs, const graph::Graph& pruned,
                                          Console& console) {
  PARE_ASSIGN(auto draft, onnx::ExportDraft(pruned, options.output));
  if (!draft) PARE_TRY(onnx::Export(pruned, options.output));
  PARE_ASSIGN(const model::Model written,
              model::Model::Load(draft ? draft->path() : options.output));
  compress::CompareOptions compare;
  compare.batch = options.machine.batch;
  compare.layer_samples = 0;
  compare.timing.seconds = options.seconds;
  const model::Context context = options.machine.MakeContext(console);
  PARE_ASSIGN(auto comparison,
              OfModel(compress::Compare({inputs.deployed.graph(), inputs.deployed.file_bytes()},
                                        {written.graph(), written.file_bytes()}, inputs.dataset,
                                        inputs.split.verification, inputs.deployed.preprocess(),
                                        context, compare, console),
                      options.output));
  if (draft) PARE_TRY(draft->Commit());
  return comparison;
}

Result<PruneInputs> OpenInputs(const PruneCommandOptions& options, CommandFiles& files,
                               Console& console) {
  PruneInputs inputs;
  PARE_ASSIGN(inputs.trainable, LoadFloat(options, console));
  PARE_ASSIGN(inputs.deployed, model::Model::Load(options.model));
  PARE_TRY(options.data.ApplyTo(inputs.deployed));
  PARE_ASSIGN(inputs.dataset, options.data.Open(inputs.deployed, console));
  files.Read(inputs.deployed.data_files());
  files.Read(inputs.dataset->files());
  PARE_TRY(files.Check());
  NoteWeights(inputs.deployed, console);
  data::SplitOptions split = options.split;
  split.limit = options.data.limit;
  PARE_ASSIGN(inputs.split, data::SplitDataset(*inputs.dataset, split));
  if (!inputs.split.note.empty()) console.Note(inputs.split.note);
  if (compress::ChooseMetric(compress::Metric::kAuto, inputs.deployed.graph()) ==
      compress::Metric::kTop) {
    PARE_TRY(CheckLabels(*inputs.dataset, inputs.deployed.graph(),
                         inputs.deployed.preprocess().label_offset, console));
  }
  return inputs;
}

// Every third calibration sample measures what the others fit.
Result<compress::PruneSamples> LoadSamples(const PruneInputs& inputs, Console& console) {
  std::vector<int64_t> fit, probe;
  const auto& all = inputs.split.calibration;
  for (size_t i = 0; i < all.size(); ++i) (i % 3 == 2 ? probe : fit).push_back(all[i]);
  if (probe.empty()) probe = fit;
  const auto load = [&](std::vector<int64_t> indices) {
    return compress::Calibration::Load(inputs.dataset, model::InputSpecs(inputs.trainable.graph()),
                                       std::move(indices), inputs.trainable.preprocess(), console);
  };
  compress::PruneSamples samples;
  PARE_ASSIGN(samples.fit, load(std::move(fit)));
  PARE_ASSIGN(samples.probe, load(std::move(probe)));
  return samples;
}

Status PruneModel(const PruneCommandOptions& options, Console& console) {
  PARE_TRY(options.Check());
  if (options.list) return ListPrunable(options, console);
  CommandFiles files;
  options.data.AddTo(files);
  files.Read(options.model);
  files.WriteModel(options.output);
  PARE_TRY(files.Check());
  PARE_ASSIGN(const PruneInputs inputs, OpenInputs(options, files, console));
  const model::Model& model = inputs.trainable;
  PARE_ASSIGN(const SampleRun run,
              OfModel(SampleRun::Make(model.graph(), options.shapes), options.model));
  const Stopwatch watch;
  const model::Context context = options.machine.MakeContext(console);
  PARE_ASSIGN(const compress::PruneSamples samples, LoadSamples(inputs, console));
  compress::PruneOptions how = options.prune;
  how.seed = options.split.seed;
  PARE_ASSIGN(const auto pruner,
              OfModel(compress::Pruner::Make(model.graph(), how, &samples, context, console),
                      options.model));
  PARE_ASSIGN(const Goal goal, MakeGoal(options, model, pruner.channels(), run));
  console.Stage("cutting", 0);
  PARE_ASSIGN(compress::Pruned pruned,
              OfModel(pruner.CutTo(goal.costs, goal.limit, goal.cost, console), options.model));
  compress::Reconstruction reconstruction;
  if (!options.no_reconstruction) {
    PARE_ASSIGN(reconstruction, pruner.Refit(pruned, samples.fit, context, console));
  }
  PruneReport report{.options = options,
                     .pruned = pruned,
                     .reconstruction = reconstruction,
                     .comparison = {},
                     .before = {},
                     .after = {},
                     .calibration = samples.fit.samples(),
                     .verification = std::ssize(inputs.split.verification),
                     .seconds = watch.seconds(),
                     .notes = {}};
  PARE_ASSIGN(report.before, run.Cost(model.graph()));
  PARE_ASSIGN(report.after, run.Cost(pruned.graph));
  PARE_TRY(StoreData(options.data, *inputs.dataset, model, pruned.graph.metadata));
  PARE_ASSIGN(pruned.graph.metadata[kRunKey], RecordOf(options, *inputs.dataset));
  PARE_ASSIGN(report.comparison, VerifyPruned(options, inputs, pruned.graph, console));
  report.notes = console.notes();
  return console.Show(report);
}

}  // namespace

extern const Command kPruneCommand = {
    .name = "prune",
    .summary = "a smaller, faster model of the same kind: channels that matter least go",
    .examples =
        "pare prune model.onnx --list\n"
        "pare prune mobilenetv2.onnx --data pictures/ --target-macs 0.8x -o small.onnx \\\n"
        "     --no-recover --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225\n"
        "pare prune model.onnx --data x.npy --target-size 0.5x --no-recover --keep 'stem*' -o "
        "small.onnx",
    .run = ParseAndRun<PruneCommandOptions, PruneModel>,
};

}  // namespace pare::cli
