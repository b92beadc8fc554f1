#include "cli/targets.h"

#include "cli/inputs.h"
#include "compress/layers.h"
#include "passes/pipeline.h"

namespace pare::cli {
namespace {

using Units = std::span<const std::pair<std::string_view, double>>;
constexpr std::pair<std::string_view, double> kMacUnits[] = {
    {"x", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}};
constexpr std::pair<std::string_view, double> kByteUnits[] = {
    {"x", 1}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}};
constexpr std::pair<std::string_view, double> kTimeUnits[] = {{"x", 1}, {"ms", 1}};

Units UnitsOf(TargetUnit unit) {
  switch (unit) {
    case TargetUnit::kMacs:
      return kMacUnits;
    case TargetUnit::kBytes:
      return kByteUnits;
    default:
      return kTimeUnits;
  }
}

Status ParseTarget(std::string_view text, Units units, std::optional<Target>& target) {
  Target parsed{1, false};
  for (const auto& [suffix, factor] : units) {
    if (!text.ends_with(suffix)) continue;
    parsed.value = factor;
    parsed.relative = suffix == "x";
    text.remove_suffix(suffix.size());
    break;
  }
  std::optional<double> number;
  PARE_TRY(ParseNumber(text, number));
  if (*number <= 0)
    return Fail(ErrorKind::kUsage, "a target is more than 0", "e.g. 0.5x, half of the model's");
  parsed.value *= *number;
  target = parsed;
  return {};
}

std::vector<double> FastestRuns(const compress::Timed& timed) {
  std::vector<double> times;
  for (const compress::SideTimes& side : timed.sides) times.push_back(side.ms.min);
  return times;
}

}  // namespace

void DeclareTarget(Parser& parser, std::string names, std::string value, TargetUnit unit,
                   std::optional<Target>& target, std::string help) {
  parser.Option(
      std::move(names), std::move(value),
      [&target, unit](std::string_view text) { return ParseTarget(text, UnitsOf(unit), target); },
      std::move(help));
}

Result<SampleRun> SampleRun::Make(const graph::Graph& graph,
                                  const std::vector<std::string>& given) {
  PARE_ASSIGN(auto shapes, ResolveShapes(graph, given, 1));
  PARE_ASSIGN(auto inputs, MakeInputs(graph, shapes, 0));
  return SampleRun(std::move(shapes), std::move(inputs));
}

Result<SampleRun::Sessions> SampleRun::Deploy(std::span<const graph::Graph* const> graphs) const {
  Sessions sessions;
  for (const graph::Graph* graph : graphs) {
    graph::Graph simple = *graph;
    PARE_TRY(passes::Simplify(simple));
    PARE_ASSIGN(sessions.owned.emplace_back(), model::MakeSession(simple, context_));
    sessions.sides.push_back(sessions.owned.back().get());
  }
  return sessions;
}

Result<compress::Timed> SampleRun::Measure(std::span<const graph::Graph* const> graphs,
                                           double seconds, Progress& progress) const {
  PARE_ASSIGN(const Sessions sessions, Deploy(graphs));
  return compress::TimeInterleaved(sessions.sides, inputs_,
                                   {.seconds = seconds, .progress = &progress});
}

Result<std::vector<double>> SampleRun::Time(std::span<const graph::Graph* const> graphs,
                                            double seconds, Progress& progress) const {
  PARE_ASSIGN(const compress::Timed timed, Measure(graphs, seconds, progress));
  return FastestRuns(timed);
}

Result<std::vector<double>> SampleRun::TimeForReport(std::span<const graph::Graph* const> graphs,
                                                     double seconds, Console& console) const {
  PARE_ASSIGN(const compress::Timed timed, Measure(graphs, seconds, console));
  for (const auto& note : compress::TimingNotes(timed, 1, context_.cpu.threads())) {
    console.Note(note);
  }
  return FastestRuns(timed);
}

Result<std::vector<std::map<std::string, double>>> SampleRun::LayerTimes(
    std::span<const graph::Graph* const> graphs, double seconds, Console& console) const {
  PARE_ASSIGN(const Sessions sessions, Deploy(graphs));
  PARE_ASSIGN(const compress::Timed timed,
              compress::ProfileInterleaved(sessions.sides, inputs_,
                                           {.seconds = seconds, .progress = &console}));
  std::vector<std::map<std::string, double>> times;
  for (size_t i = 0; i < graphs.size(); ++i) {
    auto& of_graph = times.emplace_back();
    for (const runtime::LayerTime& layer : timed.sides[i].layers)
      of_graph[compress::LayerNameOf(*graphs[i], layer.name)] += layer.min_ms;
  }
  return times;
}

}  // namespace pare::cli
