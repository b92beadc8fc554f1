#include "compress/compare.h"

#include "cli/command.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/text.h"
#include "compress/distill/fit.h"
#include "data/split.h"
#include "platform/memory.h"

namespace pare::cli {
namespace {

struct CompareOptions {
  std::string a, b, targets;
  double seconds = compress::TimingOptions().seconds;
  MachineOptions machine;
  DataOptions data;
  compress::Metric metric = compress::Metric::kAuto;
  bool layers = false;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Positional("A", a, "the model before, an .onnx file");
    parser.Positional("B", b, "the model after");
    data.Declare(parser, DataOptions::Need::kRequired);
    parser.Group("comparison");
    parser.Option(
        "--metric", "NAME",
        [this](std::string_view name) -> Status {
          PARE_ASSIGN(metric, compress::ParseMetric(name));
          return {};
        },
        "auto (default), top, cosine, mse or psnr");
    DeclareTargets(parser, targets, "measure both models by values, too");
    parser.Flag("--layers", layers, "list every layer");
    DeclareSeconds(parser, seconds, "how long to measure times (default 1.5)");
    machine.Declare(parser);
    machine.DeclareSaturating(parser);
  }
};

struct CompareReport {
  compress::Comparison comparison;
  const std::vector<std::string>& notes;
  bool all_layers, saturating;
  int64_t peak_memory_bytes;
};

ComparisonView ViewOf(const CompareReport& report) {
  return {.comparison = report.comparison,
          .name_a = "A",
          .name_b = "B",
          .layers = report.all_layers ? LayerTable::kAll : LayerTable::kNotable};
}

Json ToJson(const CompareReport& report) {
  Json json = Json::Object();
  SetComparison(json, report.comparison);
  json.Set("seconds",
           Json::Object({{"quantize", Json()}, {"verify", report.comparison.verify_seconds}}));
  json.Set("peak_memory_bytes", report.peak_memory_bytes);
  json.Set("saturating", report.saturating);
  json.Set("notes", NotesJson(report.notes, ViewOf(report)));
  return json;
}

std::string ToText(const CompareReport& report) {
  return Text(ComparisonText(ViewOf(report)), "\n", report.comparison.quality.count, " samples\n",
              report.saturating ? kSaturatingNote : "");
}

// Outputs of the same names are compared, where one model has all of the other's. Where none has,
// the comparison says what it can't do.
void MatchOutputs(model::Model& a, model::Model& b, Console& console) {
  for (auto [whole, part] : {std::pair(&b, &a), std::pair(&a, &b)}) {
    graph::Graph graph = whole->graph();
    if (!compress::MatchOutputs(part->graph(), graph)) continue;
    if (graph.outputs().size() < whole->graph().outputs().size()) {
      console.Note(Text(whole->path(), " has other outputs beside those of ", part->path(),
                        ": these are not compared"));
    }
    whole->set_graph(std::move(graph));
    return;
  }
}

Status Compare(const CompareOptions& options, Console& console) {
  PARE_ASSIGN(model::Model a, model::Model::Load(options.a));
  PARE_ASSIGN(model::Model b, model::Model::Load(options.b));
  MatchOutputs(a, b, console);
  // What either file knows of its data holds for both.
  model::Model& known = data::Preprocess::In(a.graph().metadata) ? a : b;
  PARE_TRY(options.data.ApplyTo(known));
  NoteFixedBatch(a, options.machine.batch, console);
  for (const model::Model* model : {&a, &b}) NoteWeights(*model, console);
  const model::Model* const both[] = {&a, &b};
  PARE_ASSIGN(const auto dataset, options.data.Open(known, console, both));
  compress::CompareOptions compare;
  PARE_ASSIGN(compare.targets,
              OpenTargets(options.targets, options.data, *dataset, a.graph(), console));
  compare.metric = compress::MetricWithTargets(options.metric, compare.targets != nullptr);
  PARE_TRY(compress::CheckMetric(compare.metric, a.graph()));
  if (compress::ChooseMetric(compare.metric, a.graph()) == compress::Metric::kTop)
    PARE_TRY(CheckLabels(*dataset, a.graph(), known.preprocess().label_offset, console));
  else if (!compare.targets)
    NoteUnusedLabels(*dataset, a.graph(), MetricTopAdvice(a.graph()), console);
  const model::Context context = options.machine.MakeContext(console);
  compare.batch = options.machine.batch;
  compare.timing.seconds = options.seconds;
  CompareReport report{.comparison = {},
                       .notes = console.notes(),
                       .all_layers = options.layers,
                       .saturating = options.machine.saturating,
                       .peak_memory_bytes = 0};
  PARE_ASSIGN(report.comparison,
              OfModel(compress::Compare({a.graph(), a.file_bytes()}, {b.graph(), b.file_bytes()},
                                        dataset, data::DrawSamples(*dataset, options.data.limit, 0),
                                        known.preprocess(), context, compare, console),
                      Text(options.a, " or ", options.b)));
  report.peak_memory_bytes = PeakRssBytes();
  return console.Show(report);
}

}  // namespace

extern const Command kCompareCommand = {
    .name = "compare",
    .summary = "two models on the same data: accuracy, size, time, layer by layer",
    .examples =
        "pare compare resnet.onnx resnet_int8.onnx --data pictures/\n"
        "pare compare resnet.onnx resnet_int8.onnx --data pictures/ --limit 500 --layers",
    .run = ParseAndRun<CompareOptions, Compare>,
};

}  // namespace pare::cli
