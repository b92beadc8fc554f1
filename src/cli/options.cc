#include "cli/options.h"

#include <algorithm>
#include <numeric>

#include "cli/text.h"
#include "compress/inputs.h"
#include "compress/not_finite.h"
#include "compress/score.h"
#include "data/stored.h"
#include "platform/file.h"
#include "train/objective.h"
#include "train/targets.h"

namespace pare::cli {
namespace {

using data::kClassesKey;
using data::kColumnsKey;
using data::kLabelKey;
using data::kTargetsKey;
using data::LinesOf;

std::string ListOf(std::string_view lines) {
  std::string list;
  for (const std::string& line : LinesOf(lines)) list += Text(list.empty() ? "" : ", ", line);
  return Shortened(list, 80);
}

const model::Model* WhichStores(std::span<const model::Model* const> models, const char* key) {
  const auto which = std::ranges::find_if(
      models, [&](const auto& m) { return m->graph().metadata.contains(key); });
  return which == models.end() ? nullptr : *which;
}

// One order of columns can't be right for models that were made with different ones.
Status CheckSameColumns(std::span<const model::Model* const> models) {
  const model::Model* const first = WhichStores(models, kColumnsKey);
  if (!first) return {};
  const std::string& columns = first->graph().metadata.at(kColumnsKey);
  for (const model::Model* model : models) {
    const auto own = model->graph().metadata.find(kColumnsKey);
    if (own == model->graph().metadata.end() || own->second == columns) continue;
    return Fail(ErrorKind::kUsage,
                Text(first->path(), " was made with the columns ", ListOf(columns), ", and ",
                     model->path(), " with ", ListOf(own->second)),
                "--by-position takes the columns of numbers by their places for both");
  }
  return {};
}

// "price" or "width,height".
Status ParseColumns(std::string_view text, std::vector<std::string>& columns) {
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    if (end == begin) {
      return Fail(ErrorKind::kUsage, "an empty text is no column",
                  "columns by name or by number from 0, with commas between them");
    }
    columns.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return {};
}

// The one that knows the table, then the first: a label and classes go with the columns.
std::vector<const model::Model*> TableFirst(std::span<const model::Model* const> models) {
  for (const char* key : {kColumnsKey, kLabelKey}) {
    if (const model::Model* knows = WhichStores(models, key)) return {knows, models[0]};
  }
  return {models[0]};
}

}  // namespace

void MachineOptions::Declare(Parser& parser) {
  parser.Group("machine");
  parser.Option("--threads", "N", threads, 0,
                "threads to compute with (default 0: as many as affinity and quota allow)");
  parser.Option("--batch", "N", batch, 1, "samples in one run of the model (default 1)");
}

void MachineOptions::DeclareSaturating(Parser& parser) {
  parser.Flag("--saturating", saturating,
              "answer as an engine whose 8-bit products saturate in 16 bits (no VNNI) would; times "
              "are those of the emulation");
}

int AllowedThreads(int threads, Console& console) {
  const int allowed = DetectCpu().threads();
  if (threads <= allowed) return threads;
  console.Note(Text("--threads ", threads, ": affinity and quota allow ", allowed, ", and ",
                    allowed, allowed == 1 ? " is used" : " are used",
                    " (`pare doctor` tells why)"));
  return allowed;
}

model::Context MachineOptions::MakeContext(Console& console) const {
  model::Context context = model::Context::Make(AllowedThreads(threads, console));
  context.saturating = saturating;
  return context;
}

void DataOptions::Declare(Parser& parser, Need need) {
  parser.Group("data");
  parser.Option("--data", "PATH", path,
                "samples: a folder of class folders or pictures, a .tar of the same, a list of "
                "\"path label\" lines, "
                ".npy, .npz, CIFAR or IDX binaries, .csv");
  if (need == Need::kRequired) parser.Required();
  parser.Option("--label", "COLUMN", dataset.label_column,
                "the column of a CSV that holds the label");
  parser.Option(
      "--target-columns", "NAME,…",
      [this](std::string_view text) { return ParseColumns(text, dataset.target_columns); },
      "columns of a CSV, by name or number, that hold what the first output shall be");
  parser.Flag("--by-position", dataset.by_position,
              "a CSV's columns go to the model by their places, whatever their names");
  parser.Option("--labels", "FILE", dataset.labels_path,
                "labels that don't lie beside the data: .npy, IDX or a number a line");
  parser.Option("--classes", "FILE", dataset.classes_path,
                "names of the classes, one a line, in the model's order");
  if (need != Need::kOneBatch)
    parser.Option("--limit", "N", limit, 0, "use at most N samples (default 0: all of them)");

  parser.Group("preprocessing (stored in the models that are written)");
  const auto field = [&](std::string names, std::string value, std::string name, std::string help) {
    parser.Option(
        std::move(names), std::move(value),
        [this, name](std::string_view text) -> Status {
          PARE_TRY(data::Preprocess().Set(name, text));
          preprocess.emplace_back(name, text);
          return {};
        },
        std::move(help));
  };
  const auto flag = [&](std::string names, std::string text, std::string help) {
    parser.Option(
        std::move(names), "",
        [this, text](std::string_view) -> Status {
          for (const auto& [name, given] : preprocess) {
            if (name != "channels" || given == text) continue;
            return Fail(ErrorKind::kUsage, Text("--", given, " is given as well"),
                        "the model takes one of the two orders");
          }
          preprocess.emplace_back("channels", text);
          return {};
        },
        std::move(help));
  };
  field("--size", "PIXELS", "size",
        "resize the short side to this; 0: don't; auto: a seventh beyond the crop");
  field("--crop", "PIXELS", "crop",
        "centre crop: 224, or HEIGHTxWIDTH (default: what the model takes)");
  field("--mean", "R,G,B", "mean", "subtracted after scaling: one number or three (default 0)");
  field("--std", "R,G,B", "std", "divided by after that: one number or three (default 1)");
  field("--scale", "FACTOR", "scale", "pixels 0…255 times this (default 1/255)");
  field("--layout", "LAYOUT", "layout", "nchw, nhwc or auto (default)");
  flag("--bgr", "bgr", "the model takes blue, green, red");
  flag("--rgb", "rgb", "the model takes red, green, blue (default)");
  field("--label-offset", "N", "label_offset", "class of the model = label of the data + N");
}

void DataOptions::AddTo(CommandFiles& files) const {
  files.Read({path, dataset.labels_path, dataset.classes_path});
}

Status DataOptions::ApplyTo(model::Model& model) const {
  data::Preprocess changed = model.preprocess();
  for (const auto& [field, text] : preprocess) PARE_TRY(changed.Set(field, text));
  model.set_preprocess(changed);
  return {};
}

Result<std::shared_ptr<const data::Dataset>> DataOptions::Open(
    const model::Model& model, Console& console,
    std::span<const model::Model* const> others) const {
  data::DatasetOptions options = dataset;
  std::vector<const model::Model*> all = {&model};
  all.insert(all.end(), others.begin(), others.end());
  if (!dataset.by_position && data::IsTable(path)) PARE_TRY(CheckSameColumns(all));
  for (const model::Model* knowing : TableFirst(all))
    data::UseStored(knowing->graph().metadata, options);
  compress::DescribeTaker(model.graph(), model.preprocess(), options);
  PARE_ASSIGN(auto opened, data::OpenDataset(path, options));
  if (!opened->note().empty()) console.Note(opened->note());
  PARE_TRY(NotePreprocessing(model, *opened, console));
  return opened;
}

Status DataOptions::NotePreprocessing(const model::Model& model, const data::Dataset& opened,
                                      Console& console) const {
  std::string given;
  for (const auto& [field, text] : preprocess) {
    if (field == "label_offset") continue;
    given += Text(given.empty() ? "--" : ", --", field == "channels" ? text : field);
  }
  const bool stored = data::Preprocess::In(model.graph().metadata);
  if (opened.size() == 0 || (given.empty() && stored)) return {};
  PARE_ASSIGN(const bool pictures, data::HoldsPictures(opened));
  const bool floats = !model.graph().inputs().empty() &&
                      IsFloat(model.graph().value(model.graph().inputs()[0]).type.dtype);
  if (!pictures && !given.empty()) {
    console.Note(Text(given,
                      ": without effect, for the samples are no pictures and go to the "
                      "model as they are"));
  }
  if (pictures && floats && preprocess.empty() && !stored) {
    console.Note(
        "no preprocessing is given, nor stored in the model: pixels are divided by 255, and that "
        "is all (--mean, --std, --scale, …)");
  }
  return {};
}

namespace {

// With the crop that the model's shape stands for, so that other programs can do the same.
data::Preprocess Resolved(const model::Model& model) {
  data::Preprocess preprocess = model.preprocess();
  const auto specs = model::InputSpecs(model.graph());
  if (specs.empty() || specs[0].shape.size() != 4) return preprocess;
  const Dims& shape = specs[0].shape;
  const bool last = preprocess.layout == data::Layout::kNhwc ||
                    (preprocess.layout == data::Layout::kAuto && shape[1] != 1 && shape[1] != 3);
  if (preprocess.crop_h == 0 && preprocess.crop_w == 0) {
    preprocess.crop_h = static_cast<int>(std::max<int64_t>(shape[last ? 1 : 2], 0));
    preprocess.crop_w = static_cast<int>(std::max<int64_t>(shape[last ? 2 : 3], 0));
  }
  return preprocess;
}

// A name a line, as a classes file has them, where its form can hold them.
std::optional<std::string> NameLines(const std::vector<std::string>& names) {
  std::string lines;
  for (const std::string& name : names) {
    if (name.empty() || name.find_first_of("\t\r\n") != name.npos) return std::nullopt;
    lines += name + '\n';
  }
  return lines.empty() ? std::nullopt : std::optional(lines);
}

}  // namespace

Status StoreData(const DataOptions& options, const data::Dataset& dataset,
                 const model::Model& model, std::map<std::string, std::string>& metadata,
                 bool targets_apart) {
  PARE_ASSIGN(const bool pictures, data::HoldsPictures(dataset));
  if (pictures || !options.preprocess.empty() || data::Preprocess::In(metadata))
    Resolved(model).WriteTo(metadata);
  if (const auto lines = NameLines(dataset.columns()); lines && !metadata.contains(kColumnsKey))
    metadata[kColumnsKey] = *lines;
  const data::DatasetOptions& given = options.dataset;
  if (!given.label_column.empty()) {
    metadata[kLabelKey] = given.label_column;
    metadata.erase(kClassesKey);
    // Of values each number of a column would be a class.
    const bool values =
        compress::ChooseMetric(compress::Metric::kAuto, model.graph()) == compress::Metric::kMse;
    if (const auto lines = NameLines(dataset.classes()); lines && !values)
      metadata[kClassesKey] = *lines;
  }
  const bool columns = !given.target_columns.empty() && dataset.targets();
  if (columns || targets_apart || !given.label_column.empty()) metadata.erase(kTargetsKey);
  if (columns) {
    if (const auto lines = NameLines(dataset.targets()->columns())) metadata[kTargetsKey] = *lines;
  }
  // Names that stand for the model's own classes; those of a part of them would misnumber the rest.
  const int64_t names = std::ssize(dataset.classes()) + model.preprocess().label_offset;
  if (!metadata.contains(kClassesKey) && names == compress::ClassCount(model.graph())) {
    if (const auto lines = NameLines(dataset.classes())) metadata[kClassesKey] = *lines;
  }
  if (given.classes_path.empty()) return {};
  PARE_ASSIGN(metadata[kClassesKey], ReadFile(options.dataset.classes_path));
  return {};
}

Status CheckHasLabels(const DataOptions& options, const data::Dataset& dataset) {
  if (dataset.has_labels()) {
    std::vector<int64_t> all(static_cast<size_t>(dataset.size()));
    std::iota(all.begin(), all.end(), int64_t{0});
    return train::CheckLabelled(dataset, all);
  }
  return Fail(Error(ErrorKind::kUsage,
                    Text("--alpha below 1 asks for labels, and the data has no labels",
                         dataset.why_unlabelled()),
                    "--alpha 1 learns from the teacher's answers alone")
                  .at(options.path));
}

namespace {

void NoteFirstOutput(const graph::Graph& graph, std::string_view is_taken, Console& console) {
  const auto& outputs = graph.outputs();
  if (outputs.size() < 2) return;
  std::string others;
  for (size_t i = 1; i < outputs.size(); ++i)
    others += Text(i == 1 ? "" : ", ", '"', outputs[i].name, '"');
  console.Note(Text("of the model's ", outputs.size(), " outputs the first, \"", outputs[0].name,
                    "\", ", is_taken, ", and not ", others,
                    ": for another one export the model with that output first, or alone"));
}

// "0 ant, 1 bee, …, 9 yak"
std::string NumberedNames(const std::vector<std::string>& names, int64_t first) {
  constexpr size_t kMost = 6;
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    const bool left_out = names.size() > kMost && i + 1 >= kMost && i + 1 < names.size();
    if (left_out && i + 1 > kMost) continue;
    text += i == 0 ? "" : ", ";
    text += left_out ? "…" : Text(first + static_cast<int64_t>(i), ' ', Printable(names[i]));
  }
  return text;
}

}  // namespace

void DeclareTargets(Parser& parser, std::string& path, std::string help) {
  parser.Option(
      "--targets", "FILE", path,
      Text(help, ": what the first output shall be, a row a sample (.npy, .npz or .csv)"));
}

Result<std::shared_ptr<const data::Dataset>> OpenTargets(const std::string& path,
                                                         const DataOptions& data,
                                                         const data::Dataset& dataset,
                                                         const graph::Graph& graph,
                                                         Console& console) {
  std::shared_ptr<const data::Dataset> targets = dataset.targets();
  if (!path.empty()) {
    if (!data.dataset.target_columns.empty()) {
      return Fail(ErrorKind::kUsage, "--targets and --target-columns are both given",
                  "the targets are either a file or columns of the data");
    }
    PARE_ASSIGN(targets, data::OpenDataset(path));
    if (Status fits = train::CheckTargets(*targets, dataset); !fits)
      return Fail(fits.error().at(path));
  }
  if (targets) NoteFirstOutput(graph, "is held against the targets", console);
  return targets;
}

Status CheckLabels(const data::Dataset& dataset, const graph::Graph& graph, int64_t offset,
                   Console& console) {
  NoteFirstOutput(graph, "is taken for the scores of the classes", console);
  const auto classes = compress::ClassCount(graph);
  if (!classes || !dataset.has_labels()) return {};
  const auto names = static_cast<int64_t>(dataset.classes().size());
  const char* background = offset == 0 && names + 1 == *classes
                               ? "; where the model's first is none of them (background), give "
                                 "--label-offset 1"
                               : "";
  if (dataset.classes_sorted() && names + offset != *classes) {
    console.Note(Text("the data has ", names, names == 1 ? " class" : " classes", " and the model ",
                      *classes, ": they are numbered in alphabetical order from ", offset,
                      " on, as if the data lacked none before the last; --classes FILE gives the "
                      "model's order",
                      background));
  } else if (*background) {
    console.Note(Text("the data has ", names, " classes and the model ", *classes, background));
  } else if (dataset.classes_sorted()) {
    console.Note(
        Text("the model names no classes; the data's are taken for its outputs in "
             "alphabetical order: ",
             NumberedNames(dataset.classes(), offset), "; --classes FILE gives the model's order"));
  }
  PARE_TRY(compress::CheckLabelRange(dataset, graph, offset));
  bool any = false;
  for (int64_t i = 0; i < dataset.size() && !any; ++i) any = dataset.label(i) != data::kNoLabel;
  if (!any) console.Note("all labels are -1, which is none: nothing counts as right");
  return {};
}

std::string MetricTopAdvice(const graph::Graph& graph) {
  return compress::CheckMetric(compress::Metric::kTop, graph)
             ? "; --metric top takes the first for the scores of classes"
             : "";
}

void NoteUnusedLabels(const data::Dataset& dataset, const graph::Graph& graph,
                      std::string_view advice, Console& console) {
  if (!dataset.has_labels()) return;
  console.Note(Text("the labels are not looked at: the model has ", graph.outputs().size(),
                    graph.outputs().size() == 1 ? " output, and it is no classifier's"
                                                : " outputs, and all are compared",
                    advice));
}

Error OfModel(const Error& error, const std::string& path) {
  const std::string message = error.message();
  const bool names_none = message.starts_with("node ") || message.starts_with("the model") ||
                          message.starts_with("the constant") || message.starts_with("layer ") ||
                          message.starts_with("sample") ||
                          message.starts_with("no layer of the model");
  return names_none ? error.at(path) : error;
}

void NoteWeights(const model::Model& model, Console& console) {
  const std::string note = compress::NotFiniteNote(model.graph());
  if (!note.empty()) console.Note(Text(model.path(), ": ", note));
}

void NoteFixedBatch(const model::Model& model, int64_t batch, Console& console) {
  if (batch == 1 || model.batch_note().empty()) return;
  console.Note(Text("--batch ", batch, " has no effect: ", model.batch_note()));
}

}  // namespace pare::cli
