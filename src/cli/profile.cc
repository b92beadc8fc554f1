#include "runtime/profile.h"

#include <algorithm>

#include "cli/command.h"
#include "cli/sample.h"
#include "cli/text.h"
#include "platform/clock.h"
#include "platform/file.h"

namespace pare::cli {
namespace {

constexpr int kFewestRuns = 5, kMostRuns = 10000;

struct ProfileOptions {
  std::string model, trace;
  SampleOptions sample;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Positional("MODEL", model, "an .onnx file");
    parser.Group("result");
    parser.Option("--trace", "FILE", trace,
                  "also write the last run as a Chrome trace (chrome://tracing, Perfetto)");
    sample.Declare(parser);
  }
};

struct ProfileReport {
  std::vector<runtime::LayerTime> layers;
  double total_ms = 0;
  int runs = 0, threads = 0;
  const std::string& trace;
};

Json ToJson(const ProfileReport& report) {
  return Json::Object({{"layers", Json::ArrayOf(report.layers,
                                                [](const runtime::LayerTime& layer) {
                                                  return Json::Object(
                                                      {{"name", layer.name},
                                                       {"op", layer.op},
                                                       {"kernel", layer.kernel},
                                                       {"median_ms", layer.median_ms},
                                                       {"min_ms", layer.min_ms},
                                                       {"share", layer.share}});
                                                })},
                       {"total_ms", report.total_ms},
                       {"runs", report.runs},
                       {"threads", report.threads}});
}

std::string ToText(const ProfileReport& report) {
  using Align = Table::Align;
  Table layers({{"layer", Align::kLeft, 48},
                {"op", Align::kLeft},
                {"kernel", Align::kLeft, 48},
                {"ms", Align::kRight},
                {"share", Align::kRight}});
  std::map<std::string, std::pair<int, double>> by_op;
  for (const runtime::LayerTime& layer : report.layers) {
    layers.Add({layer.name, layer.op, layer.kernel, Fixed(layer.median_ms, 4),
                Fixed(100 * layer.share, 1) + " %"});
    auto& [count, ms] = by_op[layer.op];
    ++count;
    ms += layer.median_ms;
  }
  std::vector<std::pair<std::string, std::pair<int, double>>> ops(by_op.begin(), by_op.end());
  std::sort(ops.begin(), ops.end(), [](const auto& a, const auto& b) {
    return std::pair(-a.second.second, a.first) < std::pair(-b.second.second, b.first);
  });
  Table totals({{"op", Align::kLeft},
                {"layers", Align::kRight},
                {"ms", Align::kRight},
                {"share", Align::kRight}});
  for (const auto& [op, total] : ops) {
    const double share = report.total_ms > 0 ? 100 * total.second / report.total_ms : 0;
    totals.Add({op, std::to_string(total.first), Fixed(total.second, 4), Fixed(share, 1) + " %"});
  }
  std::string text = Text(layers.Text(), '\n', totals.Text(), '\n', Milliseconds(report.total_ms),
                          " ms in all layers; medians of ", report.runs, " runs, ", report.threads,
                          report.threads == 1 ? " thread\n" : " threads\n");
  if (!report.trace.empty()) text += Text("wrote ", Printable(report.trace), '\n');
  return text;
}

Status ProfileRuns(runtime::Session& session, const std::vector<Tensor>& inputs, double seconds,
                   runtime::Profile& profile, Console& console) {
  std::vector<Tensor> outputs(session.graph().outputs().size());
  console.Stage("profiling", 0);
  for (int warm_up = 0; warm_up < 2; ++warm_up) PARE_TRY(session.Run(inputs, outputs));
  const Stopwatch watch;
  while (profile.runs() < kFewestRuns ||
         (watch.seconds() < seconds && profile.runs() < kMostRuns)) {
    PARE_TRY(console.Check());
    PARE_TRY(session.Run(inputs, outputs, {.profile = &profile}));
    console.Advance(1);
  }
  return {};
}

Status ProfileModel(const ProfileOptions& options, Console& console) {
  CommandFiles files;
  files.Read(options.model);
  options.sample.AddTo(files);
  files.Write(options.trace);
  PARE_TRY(files.Check());
  const model::Context context = options.sample.machine.MakeContext(console);
  PARE_ASSIGN(const Sample sample, options.sample.Open(options.model, context, console));
  files.Read(sample.files);
  PARE_TRY(files.Check());
  runtime::Profile profile;
  if (Status status =
          ProfileRuns(*sample.session, sample.inputs, options.sample.seconds, profile, console);
      !status) {
    return Fail(OfModel(data::OfSamples(status.error(), sample.from), options.model));
  }
  ProfileReport report{.layers = profile.Layers(),
                       .runs = profile.runs(),
                       .threads = context.pool->threads(),
                       .trace = options.trace};
  for (const runtime::LayerTime& layer : report.layers) report.total_ms += layer.median_ms;
  if (!options.trace.empty()) PARE_TRY(WriteFileAtomic(options.trace, profile.ChromeTrace()));
  return console.Show(report);
}

}  // namespace

extern const Command kProfileCommand = {
    .name = "profile",
    .summary = "where a model's time goes, layer by layer",
    .examples =
        "pare profile resnet.onnx --threads 1\n"
        "pare profile resnet.onnx --trace resnet.json",
    .run = ParseAndRun<ProfileOptions, ProfileModel>,
};

}  // namespace pare::cli
