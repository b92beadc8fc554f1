#include "compress/quantize/quantize.h"

#include <algorithm>

#include "compress/layers.h"
#include "compress/quantize/equalize.h"
#include "compress/quantize/stages.h"
#include "compress/reasons.h"
#include "compress/widen.h"
#include "ops/op_def.h"
#include "platform/clock.h"

namespace pare::compress {
namespace {

using graph::Graph;

constexpr size_t kEqualizationSamples = 24;
constexpr int64_t kProbeSamples = 32;  // that forms are compared on, where memory allows
constexpr size_t kProbeBytes = size_t{24} << 20;
// Fewer verification samples are not divided: a half of them would measure next to nothing.
constexpr size_t kFewToDivide = 100;

std::string WhyNone(const Graph& graph, const Scheme& scheme) {
  for (graph::NodeId id : graph.Order()) {
    const graph::Node& node = graph.node(id);
    if (!ops::FindOp(node.op))
      return Text("; node ", node.name, " (", node.op, "): pare has no such operator");
  }
  return scheme.layers.empty() ? ""
                               : Text("; ", scheme.layers[0].name, ": ", scheme.layers[0].reason);
}

Status CheckGraph(const Graph& graph, const Scheme& scheme, const QuantizeOptions& options) {
  for (graph::NodeId id : graph.Order()) {
    if (graph.node(id).op != "QuantizeLinear") continue;
    return Fail(ErrorKind::kUsage, "the model is quantized already",
                "start from the float model it was made from");
  }
  const bool any = std::any_of(scheme.layers.begin(), scheme.layers.end(),
                               [](const Layer& l) { return l.integer; });
  if (any) return {};
  return Unsupported(Text("no layer of the model can be int8", WhyNone(graph, scheme)),
                     options.keep_float.empty() ? "`pare inspect` lists the operators"
                                                : "the --keep-float patterns may be too wide");
}

// Makes channels that share a scale of like magnitude, before their ranges are measured; whether
// any changed.
Result<bool> Equalize(Job& job, const Scheme& scheme) {
  Graph& graph = job.calibration.graph;
  const auto groups = FindChannelGroups(graph, scheme);
  std::vector<graph::ValueId> values;
  for (const ChannelGroup& group : groups)
    values.insert(values.end(), group.values.begin(), group.values.end());
  if (values.empty()) return false;
  const std::vector<int64_t> samples = job.samples.Few(kEqualizationSamples);
  PARE_ASSIGN(auto loaders, job.samples.Shards(samples));
  job.progress.Stage("equalizing channels", std::ssize(samples));
  PARE_ASSIGN(const Statistics statistics,
              Collect(
                  graph, values, loaders, job.context, kManyPositions,
                  [](size_t, data::Batch, std::vector<Tensor>) {}, job.progress));
  const auto scaled = EqualizeGroups(graph, groups, statistics);
  WriteScaledLayers(graph, scaled);
  return !scaled.empty();
}

Status Calibrate(Job& job, const Scheme& scheme) {
  Calibration& calibration = job.calibration;
  PARE_ASSIGN(auto loaders, job.samples.Shards(job.samples.calibration()));
  job.probe = Probe(loaders, kProbeSamples, kProbeBytes);
  const auto keep = [&](size_t loader, data::Batch batch, std::vector<Tensor> answers) {
    job.probe.Offer(loader, std::move(batch), std::move(answers));
  };
  job.progress.Stage("calibrating", std::ssize(job.samples.calibration()));
  PARE_ASSIGN(calibration.statistics,
              Collect(calibration.graph, ValuesToObserve(calibration.graph, scheme), loaders,
                      job.context, kFewPositions, keep, job.progress));
  job.probe.Finish();
  return {};
}

// Every second verification sample steers which layers go back to float; the others, which then are
// all that is left to verify on, did not see it.
Status Steer(Job& job, data::Split& split) {
  const bool few = split.verification.size() < kFewToDivide;
  std::vector<int64_t> steering, unseen;
  for (size_t i = 0; i < split.verification.size(); ++i)
    (few || i % 2 == 0 ? steering : unseen).push_back(split.verification[i]);
  PARE_ASSIGN(const bool steered, HoldMaxDrop(job, steering));
  if (!steered) return {};
  if (few) {
    job.progress.Note(Text("with ", steering.size(), " verification samples, fewer than ",
                           kFewToDivide,
                           ", --max-drop was steered on the same ones that verify: "
                           "others may lose more"));
    return {};
  }
  job.progress.Note(Text("--max-drop was steered on ", steering.size(),
                         " verification samples; the ", unseen.size(), " others verify"));
  split.verification = std::move(unseen);
  return {};
}

void ReportLayers(const Form& form, Quantized& result) {
  for (const Layer& layer : form.built.scheme.layers) {
    const bool seven = layer.integer && form.variant.weight_bits.contains(layer.name);
    result.seven_bit_layers += seven;
    result.layers.push_back(
        {.name = layer.name,
         .op = layer.op,
         .precision = !layer.integer ? "float32"
                      : seven        ? "int7"
                                     : "int8",
         .reason = seven ? "7-bit weights: 8 bits would saturate in engines without VNNI"
                         : layer.reason});
  }
}

}  // namespace

Result<Quantized> Quantize(const Graph& graph, std::shared_ptr<const data::Dataset> dataset,
                           const data::Preprocess& preprocess, const model::Context& context,
                           const QuantizeOptions& options, Progress& progress) {
  const Stopwatch watch;
  PARE_ASSIGN(const Graph wide, Widened(graph, progress));
  const Scheme scheme = MakeScheme(wide, {.keep_float = options.keep_float, .given_back = {}});
  PARE_TRY(CheckGraph(wide, scheme, options));
  Quantized result;
  PARE_ASSIGN(result.split, data::SplitDataset(*dataset, options.split));
  if (!result.split.note.empty()) progress.Note(result.split.note);
  const data::LoaderOptions loading{
      .batch = options.batch, .preprocess = preprocess, .prefetch = true};
  Job job{context,
          options,
          progress,
          Samples(dataset, model::InputSpecs(wide), loading, result.split.calibration),
          {wide, {}, options.keep_float, {}, {}},
          nullptr,
          {},
          {}};
  PARE_ASSIGN(job.float_session, model::MakeSession(wide, context));
  if (options.equalization) {
    PARE_ASSIGN(result.equalized, Equalize(job, scheme));
  }
  PARE_TRY(Calibrate(job, scheme));
  PARE_TRY(ChooseForm(job));
  PARE_TRY(MakeOverflowSafe(job));
  if (!options.keep_slow_layers) PARE_TRY(GiveBackSlowLayers(job));
  if (options.bias_correction) PARE_TRY(CorrectOutputs(job));
  result.seconds = watch.seconds();
  if (options.max_drop) PARE_TRY(Steer(job, result.split));
  ReportLayers(job.best, result);
  result.graph = std::move(job.best.built.graph);
  WriteReasons(result.graph, result.layers);
  result.calibrator = job.best.variant.calibrator;
  result.bias_corrected = job.best.variant.bias_correction;
  return result;
}

}  // namespace pare::compress
