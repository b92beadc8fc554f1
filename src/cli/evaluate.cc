#include "cli/command.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/text.h"
#include "compress/score.h"
#include "compress/values.h"
#include "data/split.h"

namespace pare::cli {
namespace {

struct EvaluateOptions {
  std::string model, targets;
  MachineOptions machine;
  DataOptions data;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Positional("MODEL", model, "an .onnx file");
    data.Declare(parser, DataOptions::Need::kRequired);
    DeclareTargets(parser, targets, "measure values in place of classes");
    machine.Declare(parser);
    machine.DeclareSaturating(parser);
  }
};

struct EvaluateReport {
  compress::Evaluation evaluation;  // count and seconds also with targets
  std::optional<compress::ValueErrors> values;
  bool saturating;
  const std::vector<std::string>& notes;
};

Json ToJson(const EvaluateReport& report) {
  const compress::Evaluation& e = report.evaluation;
  Json json = Json::Object({{"top1", e.top1},
                            {"top5", e.top5},
                            {"count", e.count},
                            {"seconds", e.seconds},
                            {"saturating", report.saturating}});
  SetBounds(json, "top1", e.top1_bounds);
  SetValueErrors(json, "", report.values);
  json.Set("notes", Json::ArrayOf(report.notes));
  return json;
}

std::string ToText(const EvaluateReport& report) {
  const compress::Evaluation& e = report.evaluation;
  Table table({{"", Table::Align::kLeft}, {"", Table::Align::kRight}});
  if (e.top1) table.Add({"top-1", ShareText(e.top1, e.top1_bounds)});
  if (e.top5) table.Add({"top-5", ShareText(e.top5)});
  if (const auto& values = report.values) {
    table.Add({"R²", values->r2 ? Fixed(*values->r2, 5) : "–"});
    table.Add({"mean absolute error", Text(values->mae)});
    table.Add({"root mean square error", Text(values->rmse)});
  }
  table.Add({"samples", std::to_string(e.count)});
  table.Add({"time", Fixed(e.seconds, 2) + " s"});
  return Text(table.Text(), report.saturating ? kSaturatingNote : "");
}

Status CheckEvaluable(const EvaluateOptions& options, const data::Dataset& dataset,
                      const model::Model& model, Console& console) {
  if (!dataset.has_labels()) {
    return Fail(
        Error(ErrorKind::kUsage,
              Text("there is nothing to score: the data has no labels", dataset.why_unlabelled()),
              "--labels FILE or --label COLUMN gives them, --targets FILE or "
              "--target-columns values; `pare compare` needs none")
            .at(options.data.path));
  }
  return CheckLabels(dataset, model.graph(), model.preprocess().label_offset, console);
}

Status Evaluate(const EvaluateOptions& options, Console& console) {
  PARE_ASSIGN(model::Model model, model::Model::Load(options.model));
  PARE_TRY(options.data.ApplyTo(model));
  NoteFixedBatch(model, options.machine.batch, console);
  NoteWeights(model, console);
  PARE_ASSIGN(const auto dataset, options.data.Open(model, console));
  PARE_ASSIGN(const auto targets,
              OpenTargets(options.targets, options.data, *dataset, model.graph(), console));
  if (!targets) PARE_TRY(CheckEvaluable(options, *dataset, model, console));
  const model::Context context = options.machine.MakeContext(console);
  PARE_ASSIGN(const auto session,
              OfModel(model::MakeSession(model.graph(), context), options.model));
  PARE_ASSIGN(
      data::Loader loader,
      data::Loader::Make(
          dataset, model::InputSpecs(model.graph()),
          data::DrawSamples(*dataset, options.data.limit, 0),
          {.batch = options.machine.batch, .preprocess = model.preprocess(), .prefetch = true}));
  EvaluateReport report{.evaluation = {},
                        .values = {},
                        .saturating = options.machine.saturating,
                        .notes = console.notes()};
  if (targets) {
    PARE_ASSIGN(
        const auto found,
        OfModel(compress::EvaluateValues(*session, loader, *targets, console), options.model));
    report.values = found.errors;
    report.evaluation.count = found.count;
    report.evaluation.seconds = found.seconds;
  } else {
    PARE_ASSIGN(report.evaluation,
                OfModel(compress::Evaluate(*session, loader, console), options.model));
  }
  return console.Show(report);
}

}  // namespace

extern const Command kEvaluateCommand = {
    .name = "evaluate",
    .summary = "how often a classifier is right on labelled data, or how near values are",
    .examples =
        "pare evaluate resnet.onnx --data pictures/ --mean 0.485,0.456,0.406 --std "
        "0.229,0.224,0.225\n"
        "pare evaluate resnet_int8.onnx --data pictures.tar --limit 1000 --json\n"
        "pare evaluate regressor.onnx --data x.npy --targets y.npy\n"
        "pare evaluate regressor.onnx --data houses.csv --target-columns price",
    .run = ParseAndRun<EvaluateOptions, Evaluate>,
};

}  // namespace pare::cli
