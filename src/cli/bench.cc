#include "cli/command.h"
#include "cli/report.h"
#include "cli/sample.h"
#include "cli/text.h"
#include "compress/timing.h"
#include "platform/clock.h"
#include "platform/memory.h"

namespace pare::cli {
namespace {

struct BenchOptions {
  std::string model, other;
  SampleOptions sample;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Positional("MODEL", model, "an .onnx file");
    parser.Group("comparison");
    parser.Option("--vs", "OTHER", other,
                  "another model, run in turns with the first on the same inputs");
    sample.Declare(parser);
  }
};

// A model that has run once.
struct Side {
  Sample sample;
  double first_run_ms = 0;
};

struct BenchReport {
  const std::vector<std::string>& notes;
  std::vector<Side> sides;
  compress::Timed timed;
  int threads;
  int64_t batch;
  int64_t peak_memory_bytes;  // when the first side had run
};

Json SideJson(const BenchReport& report, size_t i) {
  const compress::Interval& ms = report.timed.sides[i].ms;
  return Json::Object({{"median_ms", ms.median},
                       {"min_ms", ms.min},
                       {"low_ms", ms.low},
                       {"high_ms", ms.high},
                       {"load_ms", report.sides[i].sample.load_ms},
                       {"first_run_ms", report.sides[i].first_run_ms},
                       // The second model's is not to be told from the process's, which holds both.
                       {"peak_memory_bytes", i == 0 ? Json(report.peak_memory_bytes) : Json()},
                       {"threads", report.threads},
                       {"batch", report.batch},
                       {"rounds", report.timed.rounds}});
}

Json ToJson(const BenchReport& report) {
  Json json = SideJson(report, 0);
  const auto& contention = report.timed.contention;
  json.Set("busy_elsewhere", contention ? Json(contention->elsewhere) : Json());
  json.Set("stolen", contention ? Json(contention->stolen) : Json());
  json.Set("notes", Json::ArrayOf(report.notes));
  if (report.sides.size() < 2) return json;
  json.Set("b", SideJson(report, 1));
  json.Set("speedup", report.timed.speedup.median);
  json.Set("speedup_low", report.timed.speedup.low);
  json.Set("speedup_high", report.timed.speedup.high);
  return json;
}

std::string ToText(const BenchReport& report) {
  const bool two = report.sides.size() == 2;
  Table table({{"", Table::Align::kLeft},
               {two ? "A" : "", Table::Align::kRight},
               {two ? "B" : "", Table::Align::kRight}});
  const auto row = [&](std::string name, auto text) {
    std::vector<std::string> cells = {std::move(name)};
    for (size_t i = 0; i < report.sides.size(); ++i) cells.push_back(text(i));
    table.Add(std::move(cells));
  };
  const auto ms = [&](size_t i) -> const compress::Interval& { return report.timed.sides[i].ms; };
  row("median", [&](size_t i) { return Duration(ms(i).median); });
  row("95 % interval", [&](size_t i) { return DurationRange(ms(i).low, ms(i).high); });
  row("fastest", [&](size_t i) { return Duration(ms(i).min); });
  row("load", [&](size_t i) { return Duration(report.sides[i].sample.load_ms); });
  row("first run", [&](size_t i) { return Duration(report.sides[i].first_run_ms); });
  row("memory at most",
      [&](size_t i) { return i == 0 ? ByteText(report.peak_memory_bytes) : "–"; });
  std::string text = table.Text();
  if (two) {
    const compress::Interval& speedup = report.timed.speedup;
    text += Text("B takes 1/", Fixed(speedup.median, 2), " of A's time: speed-up ",
                 Fixed(speedup.median, 2), "× (", Fixed(speedup.low, 2), "–",
                 Fixed(speedup.high, 2), ")\n");
  }
  text += Text(report.timed.rounds, " runs, batch ", report.batch, ", ", report.threads,
               report.threads == 1 ? " thread" : " threads");
  if (const auto& others = report.timed.contention)
    text += Text("; meanwhile ", Fixed(others->elsewhere + others->stolen, 1),
                 " processors were busy elsewhere");
  return text + '\n';
}

Result<Side> Start(const std::string& path, const BenchOptions& options,
                   const model::Context& context, Console& console) {
  Side side;
  PARE_ASSIGN(side.sample, options.sample.Open(path, context, console));
  runtime::Session& session = *side.sample.session;
  std::vector<Tensor> outputs(session.graph().outputs().size());
  const Stopwatch watch;
  if (Status status = session.Run(side.sample.inputs, outputs); !status)
    return Fail(OfModel(data::OfSamples(status.error(), side.sample.from), path));
  side.first_run_ms = watch.ms();
  return side;
}

// The two models may number their inputs' types and shapes differently; times of different work say
// nothing.
Status CheckSameInputs(const Sample& a, const Sample& b) {
  bool same = a.inputs.size() == b.inputs.size();
  for (size_t i = 0; same && i < a.inputs.size(); ++i) {
    same = a.inputs[i].dtype() == b.inputs[i].dtype() && a.inputs[i].shape() == b.inputs[i].shape();
  }
  if (same) return {};
  return Fail(ErrorKind::kUsage,
              "the models take different inputs, so that their times can't be compared",
              "`pare inspect` lists the inputs; bench each of them alone");
}

Status Bench(const BenchOptions& options, Console& console) {
  const model::Context context = options.sample.machine.MakeContext(console);
  BenchReport report{.notes = console.notes(),
                     .sides = {},
                     .timed = {},
                     .threads = context.pool->threads(),
                     .batch = 0,
                     .peak_memory_bytes = 0};
  PARE_ASSIGN(report.sides.emplace_back(), Start(options.model, options, context, console));
  report.peak_memory_bytes = PeakRssBytes();
  if (!options.other.empty()) {
    PARE_ASSIGN(report.sides.emplace_back(), Start(options.other, options, context, console));
    PARE_TRY(CheckSameInputs(report.sides[0].sample, report.sides[1].sample));
  }
  const std::vector<Tensor>& inputs = report.sides[0].sample.inputs;
  const bool batched = !inputs.empty() && inputs[0].rank() > 0;
  report.batch = batched ? inputs[0].shape()[0] : 1;
  std::vector<runtime::Session*> sessions;
  for (const Side& side : report.sides) sessions.push_back(side.sample.session.get());
  console.Stage("timing", 0);
  PARE_ASSIGN(report.timed,
              compress::TimeInterleaved(
                  sessions, inputs,
                  {.seconds = options.sample.seconds, .max_rounds = 100000, .progress = &console}));
  for (const auto& note :
       compress::TimingNotes(report.timed, report.threads, context.cpu.threads()))
    console.Note(note);
  return console.Show(report);
}

}  // namespace

extern const Command kBenchCommand = {
    .name = "bench",
    .summary = "how long a model takes, alone or in turns with another",
    .examples =
        "pare bench resnet.onnx --threads 1\n"
        "pare bench resnet.onnx --vs resnet_int8.onnx --batch 8 --json\n"
        "pare bench bert.onnx --shape sequence=128",
    .run = ParseAndRun<BenchOptions, Bench>,
};

}  // namespace pare::cli
