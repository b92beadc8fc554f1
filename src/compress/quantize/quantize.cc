#include "compress/quantize/quantize.h"

#include <algorithm>

#include "compress/guarded.h"
#include "compress/layers.h"
#include "compress/quantize/builder.h"
#include "compress/quantize/correct_bias.h"
#include "compress/quantize/equalize.h"
#include "compress/quantize/probe.h"
#include "compress/quantize/refine.h"
#include "compress/reasons.h"
#include "compress/widen.h"
#include "ops/op_def.h"
#include "platform/clock.h"

namespace pare::compress {
namespace {

using graph::Graph;

constexpr int64_t kProbeSamples = 32;  // that variants are compared on, where memory allows
constexpr size_t kProbeBytes = size_t{24} << 20;
constexpr int64_t kRefineSamples = 12;
// Whose statistics are collected side by side; a constant, so that results don't depend on the
// threads.
constexpr size_t kShards = 4;
constexpr size_t kEqualizationSamples = 24;
constexpr size_t kSaturationSamples = 4;
constexpr double kTimingSeconds = 0.12;
constexpr double kSlower = 1.10;  // int8 must be this much slower to be given up

int64_t ChannelsOf(const Graph& graph, const Layer& layer) {
  const graph::Node& node = graph.node(layer.node);
  const Tensor& weights = graph.value(node.inputs[WeightInput(node)]).data;
  return weights.shape()[WeightAxis(node, weights.rank())];
}

// One quantization from start to end; what the steps share are its members.
class Quantizer {
 public:
  Quantizer(const Graph& graph, std::shared_ptr<const data::Dataset> dataset,
            const data::Preprocess& preprocess, const model::Context& context,
            const QuantizeOptions& options, Progress& progress)
      : dataset_(std::move(dataset)),
        preprocess_(preprocess),
        context_(context),
        options_(options),
        progress_(progress),
        calibration_{graph, {}, options.keep_float, {}, {}} {}

  Result<Quantized> Run() {
    const Stopwatch watch;
    PARE_TRY(CheckGraph());
    PARE_ASSIGN(result_.split, data::SplitDataset(*dataset_, options_.split));
    if (!result_.split.note.empty()) progress_.Note(result_.split.note);
    PARE_ASSIGN(float_session_, model::MakeSession(calibration_.graph, context_));
    if (options_.equalization) PARE_TRY(Equalize());
    PARE_TRY(Calibrate());
    PARE_TRY(SearchVariant());
    PARE_TRY(RefineRanges());
    PARE_TRY(MakeOverflowSafe());
    if (!options_.keep_slow_layers) PARE_TRY(GiveBackSlowLayers());
    if (options_.bias_correction) PARE_TRY(CorrectOutputs());
    double verifying = 0;
    if (options_.max_drop) {
      const Stopwatch verify_watch;
      PARE_TRY(HoldMaxDrop());
      verifying = verify_watch.seconds();
    }
    Finish();
    result_.seconds = watch.seconds() - verifying;
    return std::move(result_);
  }

 private:
  Status CheckGraph() {
    for (graph::NodeId id : calibration_.graph.Order()) {
      if (calibration_.graph.node(id).op == "QuantizeLinear") {
        return Fail(ErrorKind::kUsage, "the model is quantized already",
                    "start from the float model it was made from");
      }
    }
    scheme_ = MakeScheme(calibration_.graph, {.keep_float = options_.keep_float, .given_back = {}});
    const bool any = std::any_of(scheme_.layers.begin(), scheme_.layers.end(),
                                 [](const Layer& l) { return l.integer; });
    if (any) return {};
    return Unsupported(Text("no layer of the model can be int8", WhyNone()),
                       options_.keep_float.empty() ? "`pare inspect` lists the operators"
                                                   : "the --keep-float patterns may be too wide");
  }
  std::string WhyNone() const {
    for (graph::NodeId id : calibration_.graph.Order()) {
      const graph::Node& node = calibration_.graph.node(id);
      if (!ops::FindOp(node.op))
        return Text("; node ", node.name, " (", node.op, "): pare has no such operator");
    }
    return scheme_.layers.empty()
               ? ""
               : Text("; ", scheme_.layers[0].name, ": ", scheme_.layers[0].reason);
  }

  Result<data::Loader> MakeLoader(std::vector<int64_t> indices) const {
    return data::Loader::Make(
        dataset_, model::InputSpecs(calibration_.graph), std::move(indices),
        {.batch = options_.batch, .preprocess = preprocess_, .prefetch = true});
  }
  // The same samples, spread over loaders that can be used side by side.
  Result<std::vector<data::Loader>> MakeShards(const std::vector<int64_t>& indices) const {
    std::vector<std::vector<int64_t>> parts(std::min(kShards, indices.size()));
    for (size_t i = 0; i < indices.size(); ++i) parts[i % parts.size()].push_back(indices[i]);
    std::vector<data::Loader> shards;
    for (std::vector<int64_t>& part : parts) {
      PARE_ASSIGN(data::Loader loader, MakeLoader(std::move(part)));
      shards.push_back(std::move(loader));
    }
    return shards;
  }
  // Evenly drawn from the calibration samples.
  std::vector<int64_t> FewSamples(size_t count) const {
    const auto& all = result_.split.calibration;
    std::vector<int64_t> few;
    for (size_t i = 0; i < std::min(count, all.size()); ++i)
      few.push_back(all[i * all.size() / std::min(count, all.size())]);
    return few;
  }

  // Makes channels that share a scale of like magnitude, before their ranges are measured.
  Status Equalize() {
    const auto groups = FindChannelGroups(calibration_.graph, scheme_);
    std::vector<graph::ValueId> values;
    for (const ChannelGroup& group : groups)
      values.insert(values.end(), group.values.begin(), group.values.end());
    if (values.empty()) return {};
    const std::vector<int64_t> samples = FewSamples(kEqualizationSamples);
    PARE_ASSIGN(auto loaders, MakeShards(samples));
    progress_.Stage("equalizing channels", std::ssize(samples));
    PARE_ASSIGN(const Statistics statistics,
                Collect(calibration_.graph, values, loaders, context_, kManyPositions, progress_));
    const auto scaled = EqualizeGroups(calibration_.graph, groups, statistics);
    result_.equalized = !scaled.empty();
    WriteScaledLayers(calibration_.graph, scaled);
    return {};
  }

  Status Calibrate() {
    const std::vector<int64_t>& samples = result_.split.calibration;
    PARE_ASSIGN(auto loaders, MakeShards(samples));
    progress_.Stage("calibrating", std::ssize(samples));
    PARE_ASSIGN(calibration_.statistics,
                Collect(calibration_.graph, ValuesToObserve(calibration_.graph, scheme_), loaders,
                        context_, kFewPositions, progress_));
    return {};
  }

  // How far the int8 form's outputs are from the float model's.
  Result<double> OutputError(const Graph& quantized, int64_t samples = kProbeSamples) {
    PARE_ASSIGN(auto session, model::MakeSession(quantized, context_));
    return probe_.Error(*session, samples, progress_);
  }
  // Of several forms, side by side: making a session is serial work.
  Result<std::vector<double>> OutputErrors(std::span<const Built> forms, int64_t samples) {
    std::vector<Result<double>> results(forms.size());
    context_.pool->Run(std::ssize(forms), [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i)
        results[i] = Guarded([&] { return OutputError(forms[i].graph, samples); });
    });
    std::vector<double> errors;
    for (const Result<double>& result : results) {
      PARE_ASSIGN(const double error, result);
      errors.push_back(error);
    }
    return errors;
  }
  Result<std::vector<Built>> BuildAll(std::span<const Variant> variants) {
    std::vector<Built> forms;
    for (const Variant& variant : variants) {
      PARE_ASSIGN(Built form, Build(calibration_, variant));
      forms.push_back(std::move(form));
    }
    return forms;
  }

  Status SearchVariant() {
    PARE_ASSIGN(auto loaders, MakeShards(FewSamples(kProbeSamples)));
    PARE_ASSIGN(probe_, Probe::Make(loaders, *float_session_, kProbeBytes, progress_));
    const std::vector<Calibrator> calibrators =
        options_.calibrator == Calibrator::kAuto
            ? std::vector{Calibrator::kAuto, Calibrator::kMinMax, Calibrator::kPercentile}
            : std::vector{options_.calibrator};
    progress_.Stage("choosing ranges", std::ssize(calibrators));
    std::vector<Variant> variants;
    for (const Calibrator calibrator : calibrators) {
      variants.emplace_back();
      variants.back().calibrator = calibrator;
      variants.back().bias_correction = options_.bias_correction;
    }
    PARE_ASSIGN(auto forms, BuildAll(variants));
    PARE_ASSIGN(const auto errors, OutputErrors(forms, kProbeSamples));
    const auto best = std::min_element(errors.begin(), errors.end()) - errors.begin();
    best_ = std::move(forms[best]);
    variant_ = std::move(variants[best]);
    return {};
  }

  // What a calibrator chosen by hand gives is left as it is.
  Status RefineRanges() {
    if (options_.calibrator != Calibrator::kAuto) return {};
    const auto errors_of = [&](std::span<const Variant> variants) -> Result<std::vector<double>> {
      PARE_ASSIGN(const auto forms, BuildAll(variants));
      return OutputErrors(forms, kRefineSamples);
    };
    PARE_ASSIGN(variant_,
                compress::RefineRanges(calibration_, best_, variant_, errors_of, progress_));
    return Rebuild();
  }

  Status Rebuild() {
    PARE_ASSIGN(best_, Build(calibration_, variant_));
    return {};
  }

  Status MakeOverflowSafe() {
    if (options_.overflow_safe == OverflowSafe::kNever) return {};
    std::map<graph::NodeId, double> snr;
    if (options_.overflow_safe == OverflowSafe::kAuto) {
      PARE_ASSIGN(data::Loader loader, MakeLoader(FewSamples(kSaturationSamples)));
      PARE_ASSIGN(snr, SaturationSnr(best_.graph, best_.scheme, loader, context_, progress_));
    }
    for (const Layer& layer : best_.scheme.layers) {
      if (!layer.integer || !layer.weighted) continue;
      const auto at = snr.find(layer.node);
      const bool loses = at != snr.end() && at->second < kSaturationSnrDb;
      if (loses || options_.overflow_safe == OverflowSafe::kAlways)
        variant_.weight_bits[layer.name] = 7;
    }
    return variant_.weight_bits.empty() ? Status() : Rebuild();
  }

  // Layers whose integer form takes longer than their float form, here and at this shape.
  Result<std::map<std::string, std::string>> SlowLayers() {
    PARE_ASSIGN(auto session, model::MakeSession(best_.graph, context_));
    PARE_ASSIGN(data::Loader loader, MakeLoader(FewSamples(1)));
    PARE_ASSIGN(const auto batch, loader.Next());
    if (!batch) return std::map<std::string, std::string>();
    runtime::Session* const sessions[] = {float_session_.get(), session.get()};
    PARE_ASSIGN(const Timed timed,
                ProfileInterleaved(sessions, batch->inputs, {.seconds = kTimingSeconds}));
    const auto before = TimesByLayer(calibration_.graph, timed.sides[0].layers);
    const auto after = TimesByLayer(best_.graph, timed.sides[1].layers);
    std::map<std::string, std::string> slow;
    for (const Layer& layer : best_.scheme.layers) {
      const auto a = before.find(layer.name), b = after.find(layer.name);
      if (!layer.integer || a == before.end() || b == after.end()) continue;
      if (b->second < a->second * kSlower || b->second < 0.005 * timed.sides[1].ms.median) continue;
      slow[layer.name] =
          Text("int8 is slower here: ", b->second, " ms against ", a->second, " ms in float");
    }
    return slow;
  }

  Status GiveBackSlowLayers() {
    progress_.Stage("comparing layer times", 0);
    PARE_ASSIGN(const auto slow, SlowLayers());
    if (slow.empty()) return {};
    Variant mixed = variant_;
    mixed.given_back.insert(slow.begin(), slow.end());
    PARE_ASSIGN(Built built, Build(calibration_, mixed));
    // Each border between float and int8 costs conversions: the whole must gain, not the layer
    // alone.
    PARE_ASSIGN(auto now, model::MakeSession(best_.graph, context_));
    PARE_ASSIGN(auto then, model::MakeSession(built.graph, context_));
    PARE_ASSIGN(data::Loader loader, MakeLoader(FewSamples(1)));
    PARE_ASSIGN(const auto batch, loader.Next());
    runtime::Session* const sessions[] = {now.get(), then.get()};
    PARE_ASSIGN(const Timed timed,
                TimeInterleaved(sessions, batch->inputs, {.seconds = kTimingSeconds}));
    if (timed.speedup.low <= 1) return {};
    variant_ = std::move(mixed);
    best_ = std::move(built);
    return {};
  }

  // What all roundings together shift the outputs by on average, the last layers take back.
  Status CorrectOutputs() {
    PARE_ASSIGN(auto session, model::MakeSession(best_.graph, context_));
    PARE_ASSIGN(const double before, probe_.Error(*session, kProbeSamples, progress_));
    Variant corrected = variant_;
    for (int i = 0; i < std::ssize(calibration_.graph.outputs()); ++i) {
      const Layer* layer = OutputLayer(calibration_.graph, best_.scheme, i);
      if (!layer) continue;
      PARE_ASSIGN(auto shift, probe_.MeanDifference(*session, i, progress_));
      const auto channels = ChannelsOf(calibration_.graph, *layer);
      if (std::ssize(shift) == channels) corrected.output_shift[layer->name] = std::move(shift);
    }
    if (corrected.output_shift.empty()) return {};
    PARE_ASSIGN(Built built, Build(calibration_, corrected));
    PARE_ASSIGN(const double after, OutputError(built.graph));
    if (after >= before) return {};
    variant_ = std::move(corrected);
    best_ = std::move(built);
    return {};
  }

  Result<Quality> Verify() {
    PARE_ASSIGN(auto session, model::MakeSession(best_.graph, context_));
    PARE_ASSIGN(data::Loader loader, MakeLoader(result_.split.verification));
    return CompareQuality(*float_session_, *session, loader, options_.metric, progress_);
  }

  // Layers by what giving each one back alone gains at the outputs, the largest gain first.
  Result<std::vector<std::string>> WorstFirst() {
    std::vector<std::pair<double, std::string>> by_error;
    const Variant base = variant_;
    const auto count = std::count_if(best_.scheme.layers.begin(), best_.scheme.layers.end(),
                                     [](const Layer& layer) { return layer.integer; });
    progress_.Stage("ranking layers", count);
    for (const Layer& layer : best_.scheme.layers) {
      if (!layer.integer) continue;
      Variant without = base;
      without.given_back[layer.name] = "ranked";
      PARE_ASSIGN(const Built built, Build(calibration_, without));
      PARE_ASSIGN(const double error, OutputError(built.graph));
      by_error.emplace_back(error, layer.name);
      progress_.Advance(1);
    }
    std::stable_sort(by_error.begin(), by_error.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> names;
    for (auto& [error, name] : by_error) names.push_back(std::move(name));
    return names;
  }

  // The fewest of the worst layers whose return to float holds the limit, found by bisection.
  Status HoldMaxDrop() {
    PARE_ASSIGN(result_.quality, Verify());
    if (Holds(*result_.quality)) return {};
    PARE_ASSIGN(const auto worst, WorstFirst());
    const Variant base = variant_;
    const auto try_count = [&](size_t count) -> Result<bool> {
      variant_ = base;
      for (size_t i = 0; i < count; ++i) {
        variant_.given_back[worst[i]] = Text("given back to hold --max-drop ", *options_.max_drop);
      }
      variant_.output_shift.clear();  // measured with these layers in integers
      PARE_TRY(Rebuild());
      if (options_.bias_correction) PARE_TRY(CorrectOutputs());
      PARE_ASSIGN(result_.quality, Verify());
      return Holds(*result_.quality);
    };
    size_t fails = 0, holds = 1;
    while (true) {
      PARE_ASSIGN(const bool held, try_count(holds));
      if (held) break;
      fails = holds;
      if (holds == worst.size()) return Unmet();
      holds = std::min(holds * 2, worst.size());
    }
    while (holds - fails > 1) {
      const size_t middle = (holds + fails) / 2;
      PARE_ASSIGN(const bool held, try_count(middle));
      (held ? holds : fails) = middle;
    }
    PARE_TRY(try_count(holds));
    return {};
  }

  bool Holds(const Quality& quality) const {
    return !quality.drop() || *quality.drop() <= *options_.max_drop;
  }

  Status Unmet() const {
    return Fail(
        ErrorKind::kUnmet,
        Text("--max-drop ", *options_.max_drop, " can't be held: ", *result_.quality->drop(),
             " points are lost even with all layers in float that may be"),
        "more verification samples (--verification) make the measurement finer");
  }

  void Finish() {
    for (const Layer& layer : best_.scheme.layers) {
      const bool seven = variant_.weight_bits.contains(layer.name);
      result_.seven_bit_layers += layer.integer && seven;
      std::string reason = layer.reason;
      if (layer.integer && seven)
        reason = "7-bit weights: 8 bits would saturate in engines without VNNI";
      result_.layers.push_back({.name = layer.name,
                                .op = layer.op,
                                .precision = !layer.integer ? "float32"
                                             : seven        ? "int7"
                                                            : "int8",
                                .reason = std::move(reason)});
    }
    result_.graph = std::move(best_.graph);
    WriteReasons(result_.graph, result_.layers);
    result_.calibrator = variant_.calibrator;
    result_.bias_corrected = variant_.bias_correction;
  }

  std::shared_ptr<const data::Dataset> dataset_;
  const data::Preprocess& preprocess_;
  const model::Context& context_;
  const QuantizeOptions& options_;
  Progress& progress_;
  Calibration calibration_;
  Scheme scheme_;  // without anything given back
  std::unique_ptr<runtime::Session> float_session_;
  Probe probe_;
  Built best_;
  Variant variant_;
  Quantized result_;
};

}  // namespace

Result<Quantized> Quantize(const Graph& graph, std::shared_ptr<const data::Dataset> dataset,
                           const data::Preprocess& preprocess, const model::Context& context,
                           const QuantizeOptions& options, Progress& progress) {
  PARE_ASSIGN(const Graph wide, Widened(graph, progress));
  return Quantizer(wide, std::move(dataset), preprocess, context, options, progress).Run();
}

}  // namespace pare::compress
