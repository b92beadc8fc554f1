#include "compress/distill/design.h"

#include <cmath>

#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/options.h"
#include "cli/run_record.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "onnx/export.h"
#include "train/parameters.h"

namespace pare::cli {
namespace {

struct DesignCommandOptions {
  std::string model, output;
  std::optional<double> width, depth;
  std::optional<Target> macs, latency;
  bool separable = false;
  std::vector<std::string> keep, shapes;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Positional("MODEL", model, "a float .onnx file: the teacher");
    parser.Group("result");
    parser.Option("-o, --output", "FILE", output, "where the student goes");
    parser.Required();
    parser.Group("how small");
    DeclareSize(parser);
    parser.Flag("--separable", separable,
                "put a depthwise and a 1x1 convolution in place of each dense one of several taps");
    parser.Option("--keep", "PATTERN", keep,
                  "layers that keep their width and form, by name (repeatable; * and ?)");
    parser.Group("what MACs and times are of");
    DeclareShapes(parser, shapes);
  }

  Status Check() const {
    const int targets = macs.has_value() + latency.has_value();
    if (targets == 0 && !width && !depth && !separable) {
      return Fail(ErrorKind::kUsage, "nothing says how small the student shall be",
                  "give --width, --depth, --separable, --target-macs or --target-latency");
    }
    if (targets == 0 || (targets == 1 && !width)) return {};
    return Fail(ErrorKind::kUsage,
                "--width, --target-macs and --target-latency each choose the width",
                "give one of them");
  }

 private:
  void DeclareSize(Parser& parser) {
    const auto part = [&](std::string name, std::optional<double>& to, std::string help) {
      parser.Option(
          std::move(name), "PART", [&to](std::string_view text) { return ParsePart(text, to); },
          std::move(help));
    };
    part("--width", width, "of each layer's channels that stays, e.g. 0.5");
    part("--depth", depth, "of each stage's residual blocks that stays, e.g. 0.5");
    DeclareTarget(
        parser, "--target-macs", "N", TargetUnit::kMacs, macs,
        "search the width for so many multiply-accumulates (30M), or a part of the model's (0.3x)");
    DeclareTarget(parser, "--target-latency", "MS", TargetUnit::kMs, latency,
                  "search it for a time (2ms), or a part of the model's (0.5x): candidates are "
                  "measured on this CPU, batch 1, 1 thread");
  }
};

struct DesignSide {
  compress::ModelCost cost;
  int64_t bytes = 0;
  double ms = 0;  // the fastest run, which other processes disturb least
};

// What was asked for, and what became of it: parts of the teacher's where the target is one.
struct TargetResult {
  Target asked;
  std::string unit;      // "macs", "ms"
  double predicted = 0;  // by the search
  double reached = 0;    // of the student, at the end

  bool met() const { return reached <= asked.value; }
};

struct DesignReport {
  const DesignCommandOptions& options;
  compress::Design design;
  DesignSide before, after;
  std::optional<TargetResult> target;
  std::vector<std::string> notes;
};

Json DesignSideJson(const DesignSide& side) {
  return Json::Object({{"macs", side.cost.macs},
                       {"parameters", side.cost.parameters},
                       {"bytes", side.bytes},
                       {"ms", side.ms}});
}

Json TargetJson(const std::optional<TargetResult>& target) {
  if (!target) return {};
  return Json::Object({{"unit", target->unit},
                       {"relative", target->asked.relative},
                       {"most", target->asked.value},
                       {"predicted", target->predicted},
                       {"reached", target->reached},
                       {"met", target->met()}});
}

Json ToJson(const DesignReport& report) {
  const compress::Design& design = report.design;
  const auto group = [](const compress::DesignedGroup& g) {
    return Json::Object({{"name", g.name},
                         {"before", g.before},
                         {"after", g.after},
                         {"why_not", g.why_not},
                         {"why_inexact", g.why_inexact}});
  };
  const auto separated = [](const compress::SeparatedLayer& layer) {
    return Json::Object({{"name", layer.name},
                         {"filters", Json::ArrayOf(layer.filters)},
                         {"explained", layer.explained}});
  };
  return Json::Object({{"output", report.options.output},
                       {"width", design.width},
                       {"depth", design.depth},
                       {"before", DesignSideJson(report.before)},
                       {"after", DesignSideJson(report.after)},
                       {"target", TargetJson(report.target)},
                       {"blocks", design.blocks},
                       {"removed_blocks", Json::ArrayOf(design.removed_blocks)},
                       {"separated", Json::ArrayOf(design.separated, separated)},
                       {"groups", Json::ArrayOf(design.groups, group)},
                       {"notes", Json::ArrayOf(report.notes)}});
}

std::string GroupsText(const compress::Design& design) {
  using Align = Table::Align;
  Table table({{"channels of", Align::kLeft, 40},
               {"before", Align::kRight},
               {"after", Align::kRight},
               {"", Align::kLeft, 60}});
  for (const compress::DesignedGroup& group : design.groups) {
    table.Add({group.name, std::to_string(group.before), std::to_string(group.after),
               group.why_not.empty() ? "" : "stays: " + group.why_not});
  }
  return table.Text();
}

std::string SeparatedText(const compress::Design& design) {
  using Align = Table::Align;
  if (design.separated.empty()) return {};
  Table table({{"depthwise and 1x1 instead of", Align::kLeft, 40},
               {"filters", Align::kRight},
               {"explained", Align::kRight}});
  for (const compress::SeparatedLayer& layer : design.separated) {
    table.Add({layer.name, DimsText(layer.filters), Fixed(100 * layer.explained, 0) + " %"});
  }
  return table.Text() + '\n';
}

std::string AmountText(const TargetResult& target, double amount) {
  if (target.asked.relative) return Fixed(amount, 3) + "× the teacher's";
  return target.unit == "ms" ? Milliseconds(amount) + " ms"
                             : CountText(std::llround(amount)) + " MACs";
}

std::string TargetText(const TargetResult& target) {
  const auto text = [&](double amount) { return AmountText(target, amount); };
  const std::string asked = Text("target ", text(target.asked.value));
  const std::string end = target.met() ? ": met" : ": MISSED";
  if (target.unit == "macs") return Text(asked, ", student ", text(target.reached), end);
  return Text(asked, ", predicted ", text(target.predicted), ", measured ", text(target.reached),
              end);
}

std::string ToText(const DesignReport& report) {
  using Align = Table::Align;
  const compress::Design& design = report.design;
  const DesignSide &a = report.before, &b = report.after;
  Table table({{"", Align::kLeft},
               {"teacher", Align::kRight},
               {"student", Align::kRight},
               {"", Align::kRight}});
  const auto row = [&](std::string name, double before, double after, auto text) {
    table.Add({std::move(name), text(before), text(after),
               before > 0 ? Fixed(after / before, 3) + "×" : ""});
  };
  const auto count = [](double value) { return CountText(std::llround(value)); };
  const auto bytes = [](double value) { return ByteText(std::llround(value)); };
  const auto ms = [](double value) { return Milliseconds(value) + " ms"; };
  row("MACs", static_cast<double>(a.cost.macs), static_cast<double>(b.cost.macs), count);
  row("parameters", static_cast<double>(a.cost.parameters), static_cast<double>(b.cost.parameters),
      count);
  row("file", static_cast<double>(a.bytes), static_cast<double>(b.bytes), bytes);
  row("fastest run", a.ms, b.ms, ms);
  return Text(GroupsText(design), '\n', SeparatedText(design), table.Text(), "\nwidth ",
              Fixed(design.width, 3), ", depth ", Fixed(design.depth, 2), ": ",
              design.removed_blocks.size(), " of ", design.blocks,
              " residual blocks removed; times at batch 1, 1 thread\n",
              report.target ? TargetText(*report.target) + '\n' : "", "\nwrote ",
              Printable(report.options.output), "; `pare distill` teaches it\n");
}

// In the target's unit. A part of the teacher's time is measured beside the teacher: clocks change,
// and other processes come and go.
Result<double> CostOf(const graph::Graph& graph, const graph::Graph& teacher,
                      const DesignCommandOptions& options, const SampleRun& run, Console& console) {
  if (options.macs) {
    PARE_ASSIGN(const compress::ModelCost costs, run.Cost(graph));
    PARE_ASSIGN(const compress::ModelCost whole, run.Cost(teacher));
    return static_cast<double>(costs.macs) /
           (options.macs->relative ? static_cast<double>(whole.macs) : 1);
  }
  std::vector<const graph::Graph*> sides{&graph};
  if (options.latency->relative) sides.push_back(&teacher);
  PARE_ASSIGN(const auto times, run.Time(sides, 0.2, console));
  return times.front() / (options.latency->relative ? times.back() : 1);
}

Result<compress::Design> Choose(const graph::Graph& teacher, const DesignCommandOptions& options,
                                const SampleRun& run, Console& console) {
  compress::DesignOptions how{.width = options.width.value_or(1),
                              .depth = options.depth.value_or(1),
                              .separable = options.separable,
                              .keep = options.keep};
  const std::optional<Target>& target = options.macs ? options.macs : options.latency;
  if (!target) {
    console.Stage("designing", 0);
    return compress::MakeDesign(teacher, how);
  }
  console.Stage("searching", 0);
  const auto cost = [&](const graph::Graph& graph) {
    return CostOf(graph, teacher, options, run, console);
  };
  std::string unit = options.macs ? "MACs" : "ms";
  if (target->relative) unit = options.macs ? "of the teacher's MACs" : "of the teacher's time";
  return compress::SearchDesign(teacher, how, options.depth, {target->value, unit}, cost, console);
}

std::optional<TargetResult> Reached(const DesignReport& report) {
  const std::optional<Target>& asked =
      report.options.macs ? report.options.macs : report.options.latency;
  if (!asked) return std::nullopt;
  TargetResult result{.asked = *asked,
                      .unit = report.options.macs ? "macs" : "ms",
                      .predicted = report.design.cost};
  const auto of = [&](const DesignSide& side) {
    return report.options.macs ? static_cast<double>(side.cost.macs) : side.ms;
  };
  result.reached = of(report.after) / (asked->relative ? of(report.before) : 1);
  return result;
}

std::string DesignRecord(const DesignCommandOptions& options, const compress::Design& design) {
  Json record = RunRecord("design", options.model);
  record.Set("width", design.width);
  record.Set("depth", design.depth);
  if (options.separable) record.Set("separated", std::ssize(design.separated));
  return record.Text();
}

Status DesignStudent(const DesignCommandOptions& options, Console& console) {
  PARE_TRY(options.Check());
  CommandFiles files;
  files.Read(options.model);
  files.Write(options.output);
  PARE_TRY(files.Check());
  PARE_ASSIGN(const model::Model teacher, model::Model::Load(options.model, train::kTrainable));
  files.Read(teacher.data_files());
  PARE_TRY(files.Check());
  PARE_ASSIGN(const SampleRun run,
              OfModel(SampleRun::Make(teacher.graph(), options.shapes), teacher.path()));
  DesignReport report{
      .options = options, .design = {}, .before = {}, .after = {}, .target = {}, .notes = {}};
  PARE_ASSIGN(report.design,
              OfModel(Choose(teacher.graph(), options, run, console), teacher.path()));
  graph::Graph& student = report.design.graph;
  PARE_ASSIGN(report.before.cost, run.Cost(teacher.graph()));
  PARE_ASSIGN(report.after.cost, run.Cost(student));
  if (report.after.cost.parameters == report.before.cost.parameters) {
    console.Note("the student is as large as its teacher: no group or block could become smaller");
  }
  if (options.separable && report.design.separated.empty()) {
    console.Note(
        "--separable replaced nothing: it takes dense convolutions of several taps and 16 channels "
        "or more behind another layer");
  }
  console.Stage("timing", 0);
  const graph::Graph* const both[] = {&teacher.graph(), &student};
  PARE_ASSIGN(const auto times, OfModel(run.TimeForReport(both, 0.5, console), teacher.path()));
  report.before.ms = times[0];
  report.after.ms = times[1];
  report.target = Reached(report);
  if (report.target && !report.target->met()) {
    console.Note(Text("the target is missed: the student takes ",
                      AmountText(*report.target, report.target->reached), ", and ",
                      AmountText(*report.target, report.target->asked.value),
                      " were asked for; times vary, so give a smaller target, or an idle machine"));
  }
  student.metadata[kRunKey] = DesignRecord(options, report.design);
  PARE_TRY(onnx::Export(student, options.output));
  PARE_ASSIGN(const model::Model written, model::Model::Load(options.output));
  report.before.bytes = teacher.file_bytes();
  report.after.bytes = written.file_bytes();
  report.notes = console.notes();
  return console.Show(report);
}

}  // namespace

extern const Command kDesignCommand = {
    .name = "design",
    .summary = "a smaller architecture from a model: a student for distill",
    .examples =
        "pare design resnet56.onnx --width 0.5 --depth 0.5 -o student.onnx\n"
        "pare design resnet56.onnx --target-macs 0.25x -o student.onnx\n"
        "pare design resnet56.onnx --separable --width 0.75 -o student.onnx\n"
        "pare design mobilenetv2.onnx --target-latency 2ms --keep '/features/0/*' -o student.onnx",
    .run = ParseAndRun<DesignCommandOptions, DesignStudent>,
};

}  // namespace pare::cli
