#include <algorithm>
#include <cmath>
#include <set>

#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/options.h"
#include "cli/text.h"
#include "data/npy.h"
#include "platform/clock.h"
#include "platform/file.h"

namespace pare::cli {
namespace {

struct RunOptions {
  std::string model, output_dir;
  std::vector<std::string> inputs;
  bool cast = false;
  int threads = 0;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Positional("MODEL", model, "an .onnx file");
    parser.Group("inputs and outputs");
    parser.Option("--input", "[NAME=]FILE", inputs,
                  "an .npy, or an .npz with arrays by name (repeatable)");
    parser.Flag("--cast", cast, "convert inputs to the element types that the model takes");
    parser.Option("--output-dir", "FOLDER", output_dir, "write each output there as an .npy");
    parser.Group("machine");
    parser.Option("--threads", "N", threads, 0,
                  "threads to compute with (default 0: as many as affinity and quota allow)");
  }
};

struct OutputReport {
  std::string name, path;  // "" where nothing was written
  Tensor tensor;
};
struct RunReport {
  std::vector<OutputReport> outputs;
  double ms;
};

// Of the finite elements; nothing for an empty tensor.
struct Summary {
  double low = 0, high = 0, mean = 0;
  int64_t highest_at = 0, not_finite = 0;
};
std::optional<Summary> Summarize(const Tensor& tensor) {
  if (tensor.count() == 0) return std::nullopt;
  const auto numbers = Cast(tensor, DType::kF64);
  if (!numbers) return std::nullopt;
  Summary summary{.low = INFINITY, .high = -INFINITY};
  const auto values = numbers->as<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      ++summary.not_finite;
      continue;
    }
    summary.low = std::min(summary.low, values[i]);
    if (values[i] > summary.high) summary.highest_at = static_cast<int64_t>(i);
    summary.high = std::max(summary.high, values[i]);
    summary.mean += values[i] / static_cast<double>(values.size());
  }
  return summary;
}

Json ToJson(const RunReport& report) {
  return Json::Object(
      {{"outputs", Json::ArrayOf(report.outputs,
                                 [](const OutputReport& output) {
                                   return Json::Object(
                                       {{"name", output.name},
                                        {"dtype", DTypeName(output.tensor.dtype())},
                                        {"shape", Json::ArrayOf(output.tensor.shape())},
                                        {"file",
                                         output.path.empty() ? Json() : Json(output.path)}});
                                 })},
       {"ms", report.ms}});
}

std::string ToText(const RunReport& report) {
  using Align = Table::Align;
  Table table({{"output", Align::kLeft},
               {"type", Align::kLeft},
               {"least", Align::kRight},
               {"mean", Align::kRight},
               {"largest", Align::kRight},
               {"at", Align::kRight},
               {"", Align::kLeft},
               {"", Align::kLeft}});
  for (const OutputReport& output : report.outputs) {
    std::vector<std::string> cells = {
        output.name, Text(DTypeName(output.tensor.dtype()), DimsText(output.tensor.shape()))};
    if (const auto summary = Summarize(output.tensor)) {
      const std::string odd = summary->not_finite ? Text(summary->not_finite, " not finite") : "";
      if (summary->low > summary->high)
        cells.insert(cells.end(), {"–", "–", "–", "–", odd});
      else
        cells.insert(cells.end(), {Text(summary->low), Text(summary->mean), Text(summary->high),
                                   std::to_string(summary->highest_at), odd});
    }
    cells.resize(7);
    cells.push_back(output.path.empty() ? "" : "→ " + output.path);
    table.Add(std::move(cells));
  }
  return Text(table.Text(), Milliseconds(report.ms), " ms, the first run's preparation included\n");
}

// A file name for any bytes: what could lead out of the folder, or trouble a shell, becomes '_'.
std::string FileName(std::string_view name, std::set<std::string>& taken) {
  std::string stem;
  for (const Utf8Piece piece : Utf8Pieces(name.substr(0, 120))) {
    const auto byte = static_cast<unsigned char>(piece.bytes[0]);
    const bool plain = byte >= 0x80
                           ? piece.valid
                           : std::isalnum(byte) || byte == '-' || byte == '.' || byte == '_';
    stem += plain ? piece.bytes : std::string_view("_");
  }
  if (stem.empty() || stem[0] == '.') stem.insert(0, "_");
  std::string unique = stem;
  for (int i = 2; !taken.insert(unique).second; ++i) unique = Text(stem, '_', i);
  return unique + ".npy";
}

// Where each output goes: "" where nothing is to be written.
Result<std::vector<std::string>> OutputPaths(const RunOptions& options, const model::Model& model) {
  std::vector<std::string> paths(model.graph().outputs().size());
  if (options.output_dir.empty()) return paths;
  PARE_TRY(MakeDirectories(options.output_dir));
  CommandFiles files;
  files.Read(options.model);
  files.Read(model.data_files());
  for (const std::string& input : options.inputs) files.Read(InputPaths(input));
  std::set<std::string> taken;
  for (size_t i = 0; i < paths.size(); ++i) {
    paths[i] = JoinPath(options.output_dir, FileName(model.graph().outputs()[i].name, taken));
    files.Write(paths[i]);
  }
  PARE_TRY(files.Check());
  return paths;
}

Status RunModel(const RunOptions& options, Console& console) {
  PARE_ASSIGN(const model::Model model, model::Model::Load(options.model));
  const graph::Graph& graph = model.graph();
  PARE_ASSIGN(const auto inputs,
              ReadInputs(graph, options.inputs, options.cast ? CastInputs::kYes : CastInputs::kNo,
                         console));
  PARE_ASSIGN(const auto paths, OutputPaths(options, model));
  const model::Context context = model::Context::Make(AllowedThreads(options.threads, console));
  std::vector<Tensor> outputs(graph.outputs().size());
  const Stopwatch watch;
  PARE_ASSIGN(const auto session, OfModel(model::MakeSession(graph, context), options.model));
  if (Status status = session->Run(inputs, outputs); !status)
    return Fail(OfModel(status.error(), options.model));
  RunReport report{.outputs = {}, .ms = watch.ms()};
  for (size_t i = 0; i < outputs.size(); ++i) {
    report.outputs.push_back(
        {.name = graph.outputs()[i].name, .path = paths[i], .tensor = outputs[i]});
    if (!paths[i].empty()) PARE_TRY(data::SaveNpy(paths[i], outputs[i]));
  }
  return console.Show(report);
}

}  // namespace

extern const Command kRunCommand = {
    .name = "run",
    .summary = "a model on given arrays",
    .examples =
        "pare run resnet.onnx --input x.npy --output-dir results/\n"
        "pare run bert.onnx --input input_ids=ids.npy --input attention_mask=mask.npy",
    .run = ParseAndRun<RunOptions, RunModel>,
};

}  // namespace pare::cli
