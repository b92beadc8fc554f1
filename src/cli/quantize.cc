#include "compress/quantize/quantize.h"

#include <algorithm>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/run_record.h"
#include "cli/text.h"
#include "cli/tuning.h"
#include "compress/not_finite.h"
#include "compress/quantize/scheme.h"
#include "data/split.h"
#include "onnx/export.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/memory.h"

namespace pare::cli {
namespace {

// Enough to see whether errors grow; the emulation of saturating products is slow.
constexpr int64_t kSaturationSamples = 256;

struct QuantizeOptions {
  std::string model, output, targets;
  double seconds = compress::TimingOptions().seconds;
  MachineOptions machine;
  DataOptions data;
  compress::QuantizeOptions quantize;
  TuningOptions tuning;
  std::string target;  // "": native
  bool no_bias_correction = false, no_equalization = false, force = false, layers = false;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Positional("MODEL", model, "a float .onnx file");
    parser.Group("result");
    parser.Option("-o, --output", "FILE", output, "where the int8 model goes");
    parser.Required();
    parser.Flag("--layers", layers, "list every layer");
    DeclareSeconds(parser, seconds, "how long to measure times (default 1.5)");
    data.Declare(parser, DataOptions::Need::kRequired);
    DeclareSplit(parser);
    DeclareMethod(parser);
    tuning.Declare(parser);
    machine.Declare(parser);
  }

  void DeclareSplit(Parser& parser) {
    parser.Group("calibration and verification");
    parser.Option("--calibration", "N", quantize.split.calibration, 1,
                  "samples that ranges are taken from (default 300)");
    parser.Option("--verification", "N", quantize.split.verification, 1,
                  "of the other samples, how many verify at most (default 1000)");
    parser.Option("--seed", "N", quantize.split.seed, 0,
                  "which samples are drawn, and what --tune draws (default 0)");
    parser.Option(
        "--metric", "NAME",
        [this](std::string_view name) -> Status {
          PARE_ASSIGN(quantize.metric, compress::ParseMetric(name));
          return {};
        },
        "auto (default), top, cosine, mse or psnr");
    parser.Option(
        "--max-drop", "POINTS",
        [this](std::string_view text) -> Status {
          PARE_TRY(ParseNumber(text, quantize.max_drop));
          if (*quantize.max_drop >= -100 && *quantize.max_drop <= 100) return {};
          return Fail(ErrorKind::kUsage, Text(text, " is not between -100 (a gain) and 100"),
                      "percentage points, e.g. 0.5");
        },
        "give layers back to float, worst first, until top-1 (without labels: agreement; with "
        "targets: R² in percent) drops by no more");
    DeclareTargets(parser, targets, "measure both models by values, too");
  }

  void DeclareMethod(Parser& parser) {
    parser.Group("method");
    parser.Option(
        "--calibrator", "NAME",
        [this](std::string_view name) -> Status {
          PARE_ASSIGN(quantize.calibrator, compress::ParseCalibrator(name));
          return {};
        },
        "auto (default), minmax, percentile, entropy, mse or outputs");
    parser.Option(
        "--weight-bits", "N",
        [this](std::string_view name) -> Status {
          PARE_ASSIGN(quantize.weight_bits, compress::ParseWeightBits(name));
          return {};
        },
        "8 (default), 7, 4, or auto: 4 for the layers where the outputs don't show it");
    parser.Flag("--no-bias-correction", no_bias_correction, "leave biases as they are");
    parser.Flag("--no-equalization", no_equalization,
                "don't try to equalize the ranges of channels");
    parser.Option(
        "--keep-float", "PATTERN", quantize.keep_float,
        "operators, nodes or outputs of layers that stay float, e.g. 'conv1*' (repeatable)");
    parser.Option(
        "--overflow-safe", "WHEN",
        [this](std::string_view name) -> Status {
          PARE_ASSIGN(quantize.overflow_safe, compress::ParseOverflowSafe(name));
          return {};
        },
        "7-bit weights where other engines would saturate: auto (default), always, never");
    parser.Flag("--force", force, "int8 also where float is faster on this machine");
    parser.Option(
        "--target", "WHERE",
        [this](std::string_view name) -> Status {
          if (name != "native" && name != "any") {
            return Fail(ErrorKind::kUsage, Text("there is no target \"", Printable(name), '"'),
                        "native and any are there");
          }
          target = name;
          return {};
        },
        "native (default): layers that are slower in int8 here stay float; any: decide without "
        "time");
  }
};

struct QuantizeReport {
  compress::Comparison comparison;
  const compress::Quantized& quantized;
  const std::string& output;
  const std::vector<std::string>& notes;
  bool all_layers;
  int64_t quantize_peak_bytes, peak_bytes;
};

ComparisonView ViewOf(const QuantizeReport& report) {
  return {.comparison = report.comparison,
          .name_a = "float",
          .name_b = report.quantized.four_bit_layers > 0 ? "int4/8" : "int8",
          .layers = report.all_layers ? LayerTable::kAll : LayerTable::kNotable};
}

Json ToJson(const QuantizeReport& report) {
  const compress::Quantized& q = report.quantized;
  Json json = Json::Object();
  json.Set("output", report.output);
  SetComparison(json, report.comparison);
  json.Set("seconds",
           Json::Object({{"quantize", q.seconds}, {"verify", report.comparison.verify_seconds}}));
  json.Set("peak_memory_bytes", report.peak_bytes);
  json.Set("quantize_peak_memory_bytes", report.quantize_peak_bytes);
  json.Set("calibration_samples", q.split.calibration.size());
  json.Set("verification_samples", q.split.verification.size());
  json.Set("calibrator", compress::CalibratorName(q.calibrator));
  json.Set("ranges_refined", q.ranges_refined);
  json.Set("bias_corrected", q.bias_corrected);
  json.Set("equalized", q.equalized);
  json.Set("seven_bit_layers", q.seven_bit_layers);
  json.Set("four_bit_layers", q.four_bit_layers);
  json.Set("tuned", TunedJson(q.tuned));
  json.Set("saturation", SaturationJson(report.comparison.saturation));
  json.Set("notes", NotesJson(report.notes, ViewOf(report)));
  return json;
}

std::string ToText(const QuantizeReport& report) {
  const compress::Quantized& q = report.quantized;
  std::string text = ComparisonText(ViewOf(report));
  text += Text(
      "\ncalibrated on ", q.split.calibration.size(), " samples in ", Fixed(q.seconds, 1), " s (",
      compress::CalibratorName(q.calibrator), q.ranges_refined ? ", ranges refined" : "",
      q.bias_corrected ? ", biases corrected" : "", q.equalized ? ", channels equalized" : "");
  if (q.seven_bit_layers > 0)
    text += Text(", ", q.seven_bit_layers, q.seven_bit_layers == 1 ? " layer" : " layers",
                 " with 7-bit weights");
  if (q.four_bit_layers > 0)
    text += Text(", ", q.four_bit_layers, q.four_bit_layers == 1 ? " layer" : " layers",
                 " with 4-bit weights");
  const bool same = q.split.calibration == q.split.verification;
  text += Text("), verified on ", report.comparison.quality.count, same ? " of them" : " others",
               " in ", Fixed(report.comparison.verify_seconds, 1), " s, at most ",
               ByteText(report.peak_bytes), " of memory\n");
  if (q.tuned) text += TunedText(*q.tuned);
  return text + Text("\nwrote ", Printable(report.output), '\n');
}

Result<std::string> RecordOf(const QuantizeOptions& options, const data::Dataset& dataset,
                             const compress::Quantized& quantized) {
  PARE_ASSIGN(Json record, RunRecord({.command = "quantize",
                                      .model = options.model,
                                      .data = options.data,
                                      .dataset = dataset,
                                      .seed = options.quantize.split.seed}));
  record.Set("calibration", quantized.split.calibration.size());
  record.Set("verification", quantized.split.verification.size());
  record.Set("calibrator", compress::CalibratorName(quantized.calibrator));
  record.Set("ranges_refined", quantized.ranges_refined);
  record.Set("bias_corrected", quantized.bias_corrected);
  record.Set("equalized", quantized.equalized);
  record.Set("four_bit_layers", quantized.four_bit_layers);
  record.Set("tuned", quantized.tuned && quantized.tuned->kept);
  record.Set("max_drop", options.quantize.max_drop);
  record.Set("keep_float", Json::ArrayOf(options.quantize.keep_float));
  return record.Text();
}

// The exported file itself is verified, not what it was written from; it takes its name after that,
// so that nothing unverified is left behind or written over what was there.
Result<compress::Comparison> Verify(const QuantizeOptions& options, const model::Model& model,
                                    std::shared_ptr<const data::Dataset> dataset,
                                    const compress::QuantizeOptions& how,
                                    const compress::Quantized& quantized, const std::string& file,
                                    const model::Context& context, Console& console) {
  PARE_ASSIGN(const model::Model written, model::Model::Load(file));
  compress::CompareOptions compare;
  compare.metric = how.metric;
  compare.targets = how.targets;
  compare.batch = options.machine.batch;
  compare.timing.seconds = options.seconds;
  compare.saturation_samples = kSaturationSamples;
  PARE_ASSIGN(compress::Comparison comparison,
              OfModel(compress::Compare({model.graph(), model.file_bytes()},
                                        {written.graph(), written.file_bytes()}, std::move(dataset),
                                        quantized.split.verification, model.preprocess(), context,
                                        compare, console),
                      options.model));
  comparison.layers = JoinLayers(quantized.layers, comparison.layers);
  return comparison;
}

// What is to be said where the file written loses too much, or nobody can know.
std::optional<Error> MissedDrop(const QuantizeOptions& options, const compress::Quality& quality) {
  if (!options.quantize.max_drop) return std::nullopt;
  const auto drop = quality.drop();
  if (!drop) {
    return Error(ErrorKind::kUnmet,
                 Text("--max-drop ", *options.quantize.max_drop,
                      " was not verified: the targets of the ", quality.count,
                      " samples that verify are all the same, and have no R²"),
                 "more samples (--verification) differ")
        .at(options.output);
  }
  if (*drop <= *options.quantize.max_drop) return std::nullopt;
  return Error(ErrorKind::kUnmet,
               Text("the model written loses ", Fixed(*drop, 2), " points of ", quality.drop_name(),
                    ", more than --max-drop ", *options.quantize.max_drop),
               "a smaller --max-drop, or more samples (--verification), leaves room for the chance "
               "by which samples differ")
      .at(options.output);
}

// What can be known to fail before the long work.
Status CheckAhead(const compress::QuantizeOptions& how, const model::Model& model,
                  const data::Dataset& dataset, const std::string& label_column, Console& console) {
  const graph::Graph& graph = model.graph();
  PARE_TRY(compress::CheckMetric(how.metric, graph));
  if (const Status weights = compress::CheckWeights(graph); !weights)
    return Fail(OfModel(weights.error(), model.path()));
  if (compress::ChooseMetric(how.metric, graph) == compress::Metric::kTop) {
    PARE_TRY(CheckLabels(dataset, graph, model.preprocess().label_offset, console));
  } else if (!how.targets) {
    const std::string column =
        label_column.empty() ? "" : Text("; --target-columns ", label_column, " measures by them");
    NoteUnusedLabels(dataset, graph, Text(MetricTopAdvice(graph), column), console);
  }
  return {};
}

// `metric`: what tuning goes by, too.
Status CheckTemperature(const QuantizeOptions& options, compress::Metric metric,
                        const graph::Graph& graph) {
  const bool classes = compress::ChooseMetric(metric, graph) == compress::Metric::kTop;
  if (!options.tuning.temperature || classes) return {};
  return Fail(ErrorKind::kUsage,
              "--temperature has no effect: the model is measured by its values, and tuned by them",
              "leave it out");
}

// Arrays and rows are read ahead, so that a bad one doesn't end the verification. Pictures are not:
// decoding them is a good part of the work.
Status CheckSamples(const model::Model& model, const std::shared_ptr<const data::Dataset>& dataset,
                    const compress::QuantizeOptions& how, Console& console) {
  PARE_ASSIGN(const data::Sample first, dataset->Get(0));
  const auto is_picture = [](const data::SampleInput& input) { return input.picture; };
  if (std::any_of(first.inputs.begin(), first.inputs.end(), is_picture)) return {};
  PARE_ASSIGN(const data::Split split, data::SplitDataset(*dataset, how.split));
  std::vector<int64_t> indices = split.calibration;
  indices.insert(indices.end(), split.verification.begin(), split.verification.end());
  PARE_ASSIGN(data::Loader loader,
              data::Loader::Make(
                  dataset, model::InputSpecs(model.graph()), std::move(indices),
                  {.batch = how.batch, .preprocess = model.preprocess(), .prefetch = false}));
  while (true) {
    PARE_TRY(console.Check());
    PARE_ASSIGN(const auto batch, loader.Next());
    if (!batch) return {};
  }
}

// Says so where fewer samples than a batch are there: what is timed is smaller than was asked for.
Status NoteLargeBatch(const model::Model& model, const data::Dataset& dataset,
                      const compress::QuantizeOptions& how, Console& console) {
  if (how.batch == 1 || !model.batch_note().empty()) return {};
  PARE_ASSIGN(const data::Split split, data::SplitDataset(dataset, how.split));
  const int64_t calibrating = std::ssize(split.calibration);
  const int64_t verifying = std::ssize(split.verification);
  if (how.batch <= std::min(calibrating, verifying)) return {};
  console.Note(Text("--batch ", how.batch, ": ", calibrating, " samples calibrate and ", verifying,
                    " verify, and a run takes no more at a time than these"));
  return {};
}

void NoteAllFloat(const compress::Quantized& quantized, Console& console) {
  const bool all = std::ranges::all_of(quantized.layers, [](const compress::LayerReport& layer) {
    return layer.precision.starts_with("float");
  });
  if (all)
    console.Note(
        "no layer is int8 in what was written, for the reasons that stand beside them: "
        "the float model does as well");
}

Status CheckOptions(const QuantizeOptions& options) {
  if (!options.force || options.target != "native") return {};
  return Fail(ErrorKind::kUsage,
              "--force keeps layers in int8 that --target native would leave in float",
              "leave one of the two out");
}

Status CheckFile(const QuantizeOptions& options) {
  if (!FileExists(options.output) || IsRegularFile(options.output)) return {};
  return Fail(Error(ErrorKind::kUsage, "it is a pipe or device, and what is written is read again",
                    "name a file")
                  .at(options.output));
}

Status Quantize(const QuantizeOptions& options, Console& console) {
  const DataOptions& data = options.data;
  PARE_TRY(CheckOptions(options));
  CommandFiles files;
  data.AddTo(files);
  files.Read({options.model, options.targets});
  files.Write(options.output);
  files.Write(options.tuning.tune.train.checkpoint);
  PARE_TRY(files.Check());
  PARE_TRY(CheckFile(options));
  PARE_ASSIGN(model::Model model, model::Model::Load(options.model));
  PARE_TRY(data.ApplyTo(model));
  NoteFixedBatch(model, options.machine.batch, console);
  PARE_ASSIGN(const auto dataset, data.Open(model, console));
  files.Read(model.data_files());
  files.Read(dataset->files());
  PARE_TRY(files.Check());

  compress::QuantizeOptions how = options.quantize;
  PARE_ASSIGN(how.targets, OpenTargets(options.targets, data, *dataset, model.graph(), console));
  how.metric = compress::MetricWithTargets(how.metric, how.targets != nullptr);
  PARE_TRY(CheckAhead(how, model, *dataset, data.dataset.label_column, console));
  PARE_TRY(CheckTemperature(options, how.metric, model.graph()));
  how.bias_correction = !options.no_bias_correction;
  how.equalization = !options.no_equalization;
  how.keep_slow_layers = options.force || options.target == "any";
  how.batch = options.machine.batch;
  how.split.limit = data.limit;
  PARE_TRY(NoteLargeBatch(model, *dataset, how, console));
  PARE_TRY(CheckSamples(model, dataset, how, console));
  PARE_ASSIGN(how.tune, options.tuning.Make(*dataset, data));
  const model::Context context = options.machine.MakeContext(console);
  PARE_ASSIGN(
      compress::Quantized quantized,
      OfModel(compress::Quantize(model.graph(), dataset, model.preprocess(), context, how, console),
              options.model));
  NoteAllFloat(quantized, console);
  PARE_TRY(StoreData(data, *dataset, model, quantized.graph.metadata, !options.targets.empty()));
  PARE_ASSIGN(quantized.graph.metadata[kRunKey], RecordOf(options, *dataset, quantized));
  const Stopwatch export_watch;
  PARE_ASSIGN(onnx::Draft draft, onnx::ExportDraft(quantized.graph, options.output));
  quantized.seconds += export_watch.seconds();
  const int64_t quantize_peak = PeakRssBytes();

  PARE_ASSIGN(compress::Comparison comparison,
              Verify(options, model, dataset, how, quantized, draft.path(), context, console));
  PARE_TRY(draft.Commit());
  const auto missed = MissedDrop(options, comparison.quality);
  const QuantizeReport report{std::move(comparison), quantized,     options.output, console.notes(),
                              options.layers,        quantize_peak, PeakRssBytes()};
  return missed ? console.ShowUnmet(report, *missed) : console.Show(report);
}

}  // namespace

extern const Command kQuantizeCommand = {
    .name = "quantize",
    .summary = "a float model and samples in, a verified int8 model out",
    .examples =
        "pare quantize resnet.onnx --data pictures/ -o resnet_int8.onnx \\\n"
        "     --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225\n"
        "pare quantize resnet.onnx --data pictures.tar -o resnet_int8.onnx --max-drop 0.5\n"
        "pare quantize regressor.onnx --data houses.csv --target-columns price -o int8.onnx\n"
        "pare quantize resnet.onnx --data pictures/ -o resnet_int4.onnx --weight-bits 4 --tune",
    .run = ParseAndRun<QuantizeOptions, Quantize>,
};

}  // namespace pare::cli
