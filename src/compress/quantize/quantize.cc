#include "compress/quantize/quantize.h"

#include <algorithm>

#include "compress/compare.h"
#include "compress/cost.h"
#include "compress/layers.h"
#include "compress/not_finite.h"
#include "compress/quantize/equalize.h"
#include "compress/quantize/output_ranges.h"
#include "compress/quantize/stages.h"
#include "compress/reasons.h"
#include "compress/widen.h"
#include "ops/op_def.h"
#include "passes/pipeline.h"
#include "platform/clock.h"
#include "train/targets.h"

namespace pare::compress {
namespace {

using graph::Graph;

constexpr size_t kEqualizationSamples = 16;
// Samples that gradients are taken of and forms are compared on: so many, and more of a small model
// as it takes no time, for what is rare in the data is in few of them.
constexpr int64_t kLeastLooked = 32, kMostLooked = 300;
constexpr int64_t kLookedMacs = 8'000'000'000;
constexpr size_t kProbeBytes = size_t{24} << 20;  // and no more than fit into these

std::string WhyNone(const Graph& graph, const Scheme& scheme) {
  for (graph::NodeId id : graph.Order()) {
    const graph::Node& node = graph.node(id);
    if (!ops::FindOp(node.op))
      return Text("; node ", node.name, " (", node.op, "): pare has no such operator");
  }
  return scheme.layers.empty() ? ""
                               : Text("; ", scheme.layers[0].name, ": ", scheme.layers[0].reason);
}

bool AnyInteger(const Scheme& scheme) {
  return std::ranges::any_of(scheme.layers, &Layer::integer);
}
bool CanBeInteger(const Graph& graph) { return AnyInteger(MakeScheme(graph, {})); }

Status CheckGraph(const Graph& graph, const Scheme& scheme, const QuantizeOptions& options) {
  if (IsQuantized(graph)) {
    return Fail(ErrorKind::kUnsupported, "the model is quantized already",
                "start from the float model it was made from");
  }
  PARE_TRY(CheckWeights(graph));
  const bool any = AnyInteger(scheme);
  const bool classes = ChooseMetric(options.metric, graph) == Metric::kTop;
  if (options.max_drop && !classes && !options.targets) {
    return Fail(
        ErrorKind::kUsage,
        "--max-drop counts points of top-1 or of agreement, and this model's output is "
        "measured otherwise",
        Text("--targets FILE or --target-columns make it a limit of R²",
             CheckMetric(Metric::kTop, graph) ? ", --metric top takes the first output for classes"
                                              : "",
             "; or leave it out"));
  }
  if (any) return {};
  if (!options.keep_float.empty() && CanBeInteger(graph)) {
    return Fail(ErrorKind::kUsage, "the --keep-float patterns leave no layer that could be int8",
                "name fewer layers: `*` is any text");
  }
  return Unsupported(Text("no layer of the model can be int8", WhyNone(graph, scheme)),
                     "`pare inspect` lists the operators");
}

// The targets of the samples that verify: a bad one would be met when the work is done.
Status CheckTargets(const Graph& graph, const data::Dataset& targets,
                    const std::vector<int64_t>& verification, const Progress& progress) {
  const graph::TensorType& output = graph.value(graph.outputs().at(0).value).type;
  Dims row{1};
  bool known = output.has_rank() && output.rank() > 0;
  for (int axis = 1; known && axis < output.rank(); ++axis) {
    known = (*output.shape)[axis].known();
    if (known) row.push_back((*output.shape)[axis].size());
  }
  for (const int64_t index : verification) {
    PARE_TRY(progress.Check());
    if (known)
      PARE_TRY(train::TargetRows(targets, {&index, 1}, row));
    else
      PARE_TRY(targets.Get(index));
  }
  return {};
}

void NoteUnmatched(const Graph& graph, const QuantizeOptions& options, Progress& progress) {
  for (const std::string& pattern : options.keep_float) {
    if (MatchesAny(graph, pattern)) continue;
    progress.Note(
        Text("--keep-float ", pattern,
             " matches no layer: neither its operator nor a name of its nodes or outputs"));
  }
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

// How many samples are looked at.
Result<int64_t> LookedAt(const Job& job) {
  PARE_ASSIGN(data::Loader loader, job.samples.LoadOneByOne(job.samples.Few(1)));
  PARE_ASSIGN(const auto first, loader.Next());
  if (!first) return kLeastLooked;
  PARE_ASSIGN(const ModelCost cost, CostOf(job.calibration.graph, first->shapes()));
  const int64_t macs = std::max<int64_t>(cost.macs / loader.batch(), 1);
  return std::clamp(kLookedMacs / macs, kLeastLooked, kMostLooked);
}

// The ranges of Calibrator::kOutputs, where they may be wanted.
Status JudgeRanges(Job& job, const Scheme& scheme, int64_t samples) {
  const Calibrator calibrator = job.options.calibrator;
  if (calibrator != Calibrator::kAuto && calibrator != Calibrator::kOutputs) return {};
  Calibration& calibration = job.calibration;
  PARE_ASSIGN(data::Loader loader,
              job.samples.LoadOneByOne(job.samples.Few(static_cast<size_t>(samples))));
  job.progress.Stage("looking at gradients", loader.samples());
  auto ranges = RangesByOutputs(calibration.graph, ValuesToObserve(calibration.graph, scheme),
                                calibration.statistics, job.probe.powers(), loader, job.context,
                                job.progress);
  if (ranges) {
    calibration.output_ranges = *std::move(ranges);
  } else if (ranges.error().kind() != ErrorKind::kUnsupported) {
    return Fail(ranges.error());
  } else if (calibrator == Calibrator::kOutputs) {
    job.progress.Note(
        Text("--calibrator outputs: ", ranges.error().message(), "; ranges are those of auto"));
  }
  return {};
}

Status Calibrate(Job& job, const Scheme& scheme) {
  Calibration& calibration = job.calibration;
  PARE_ASSIGN(auto loaders, job.samples.Shards(job.samples.calibration()));
  PARE_ASSIGN(const int64_t looked, LookedAt(job));
  job.probe = Probe(loaders, looked, kProbeBytes);
  const auto keep = [&](size_t loader, data::Batch batch, std::vector<Tensor> answers) {
    job.probe.Offer(loader, std::move(batch), std::move(answers));
  };
  job.progress.Stage("calibrating", std::ssize(job.samples.calibration()));
  PARE_ASSIGN(calibration.statistics,
              Collect(calibration.graph, ValuesToObserve(calibration.graph, scheme), loaders,
                      job.context, kFewPositions, keep, job.progress));
  job.probe.Finish();
  return JudgeRanges(job, scheme, looked);
}

// Every second verification sample steers which layers go back to float; the others, which then are
// all that is left to verify on, did not see it. Those that steer.
Result<std::vector<int64_t>> Steer(Job& job, data::Split& split) {
  const bool few = std::ssize(split.verification) < kFewSamples;  // half of them tell nothing
  std::vector<int64_t> steering, unseen;
  for (size_t i = 0; i < split.verification.size(); ++i)
    (few || i % 2 == 0 ? steering : unseen).push_back(split.verification[i]);
  PARE_ASSIGN(const bool steered, HoldMaxDrop(job, steering));
  if (!steered) return steering;
  if (few) {
    job.progress.Note(Text("with ", steering.size(), " verification samples, fewer than ",
                           kFewSamples,
                           ", --max-drop was steered on the same ones that verify: "
                           "others may lose more"));
    return steering;
  }
  job.progress.Note(Text("--max-drop was steered on ", steering.size(),
                         " verification samples; the ", unseen.size(), " others verify"));
  split.verification = std::move(unseen);
  return steering;
}

// Everything (of what --limit draws) that doesn't verify, nor steered.
std::vector<int64_t> TuningPool(const data::Dataset& dataset, const QuantizeOptions& options,
                                const std::vector<int64_t>& verification) {
  const int64_t limit = options.split.limit > 0 ? options.split.limit : dataset.size();
  std::vector<int64_t> pool = data::DrawSamples(dataset, limit, options.split.seed);
  std::erase_if(pool, [&](int64_t i) {
    return std::binary_search(verification.begin(), verification.end(), i);
  });
  return pool;
}

// Of a layer without weights that was to be float.
constexpr const char* kBetweenIntegers = "what it reads and gives is int8 in any case";

std::string WhyBits(int bits, const QuantizeOptions& options) {
  if (bits == 4 && options.weight_bits == WeightBits::kAuto)
    return "4-bit weights: the outputs don't show it";
  if (bits == 7 && options.weight_bits != WeightBits::k7)
    return "7-bit weights: 8 bits would saturate in engines without VNNI";
  return "--weight-bits";
}

void ReportLayers(const Job& job, const QuantizeOptions& options, Quantized& result) {
  const Form& form = job.best;
  std::map<std::string, LayerReport> runs;  // each layer as it is computed
  for (LayerReport& layer : ListLayers(form.built.graph, form.session->graph()))
    runs[layer.name] = std::move(layer);
  const auto why = [&](const Layer& layer, int bits) {
    const auto timed = job.timed.to_seven_bits.find(layer.name);
    if (bits == 7 && timed != job.timed.to_seven_bits.end()) return timed->second;
    return bits == 8 ? layer.reason : WhyBits(bits, options);
  };
  for (const Layer& layer : form.built.scheme.layers) {
    const auto at = form.variant.weight_bits.find(layer.name);
    const int bits = layer.integer && at != form.variant.weight_bits.end() ? at->second : 8;
    LayerReport& reported = result.layers.emplace_back(
        LayerReport{.name = layer.name,
                    .op = layer.op,
                    .precision = layer.integer ? Text("int", bits) : "float32",
                    .reason = why(layer, bits)});
    const auto run = runs.find(layer.name);
    if (run != runs.end()) {
      if (InFloat(run->second) == layer.integer)
        reported.reason = layer.integer ? run->second.reason : kBetweenIntegers;
      reported.precision = run->second.precision;
    }
    result.seven_bit_layers += !InFloat(reported) && bits == 7;
    result.four_bit_layers += reported.precision == "int4";
  }
}

}  // namespace

Result<Quantized> Quantize(const Graph& graph, std::shared_ptr<const data::Dataset> dataset,
                           const data::Preprocess& preprocess, const model::Context& context,
                           const QuantizeOptions& options, Progress& progress) {
  const Stopwatch watch;
  PARE_ASSIGN(Graph wide, Widened(graph, progress));
  PARE_TRY(passes::RunPasses(wide, passes::QuantizePasses()));
  const Scheme scheme = MakeScheme(wide, {.keep_float = options.keep_float, .given_back = {}});
  NoteUnmatched(wide, options, progress);
  PARE_TRY(CheckGraph(wide, scheme, options));
  Quantized result;
  PARE_ASSIGN(result.split, data::SplitDataset(*dataset, options.split));
  if (!result.split.note.empty()) progress.Note(result.split.note);
  if (options.targets) {
    PARE_TRY(CheckTargets(graph, *options.targets, result.split.verification, progress));
  }
  std::vector<int64_t> pool;
  if (options.tune) {
    pool = TuningPool(*dataset, options, result.split.verification);
    PARE_TRY(CheckTuning(wide, *options.tune, pool));
  }
  const data::LoaderOptions loading{
      .batch = options.batch, .preprocess = preprocess, .prefetch = true};
  model::Context sharing = context;  // the forms differ in few of their weights
  sharing.packs = std::make_shared<ops::PackCache>(ops::PackCache::Filling::kNow,
                                                   ops::PackCache::Identity::kContent);
  Job job{sharing,
          options,
          progress,
          Samples(dataset, model::InputSpecs(wide), loading, result.split.calibration),
          {wide, {}, options.keep_float, {}, {}, {}},
          {},
          {},
          {}};
  if (options.equalization) {
    PARE_ASSIGN(result.equalized, Equalize(job, scheme));
  }
  PARE_TRY(Calibrate(job, scheme));
  PARE_TRY(ChooseForm(job));
  PARE_TRY(ChooseWeightBits(job));
  PARE_TRY(MakeOverflowSafe(job));
  const bool small =
      options.weight_bits == WeightBits::k4 || options.weight_bits == WeightBits::kAuto;
  if (!options.keep_slow_layers && !small) PARE_TRY(ChooseByTime(job));
  if (options.bias_correction) PARE_TRY(CorrectOutputs(job));
  std::vector<int64_t> steering;
  if (options.max_drop) {
    PARE_ASSIGN(steering, Steer(job, result.split));
  }
  if (options.tune && AnyInteger(job.best.built.scheme)) {
    TuneOptions tune = *options.tune;
    tune.train.seed = options.split.seed;
    PARE_ASSIGN(result.tuned, Tune(job, wide, tune, std::move(pool), steering));
  } else if (options.tune) {
    progress.Note("--tune had nothing to train: every layer was given back to float");
  }
  result.seconds = watch.seconds();
  ReportLayers(job, options, result);
  result.bias_corrected = job.best.built.bias_corrected;
  result.graph = std::move(job.best.built.graph);
  WriteReasons(result.graph, WithoutTimes(result.layers, job.timed));
  result.calibrator = job.best.variant.calibrator;
  result.ranges_refined = !job.best.variant.range_factors.empty();
  return result;
}

}  // namespace pare::compress
