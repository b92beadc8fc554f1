#include "compress/quantize/quantize.h"

#include <algorithm>

#include "compress/quantize/builder.h"
#include "compress/quantize/equalize.h"
#include "ops/op_def.h"
#include "platform/clock.h"

namespace pare::compress {
namespace {

using graph::Graph;

constexpr size_t kSearchSamples = 32;  // that variants are compared on
constexpr size_t kSaturationSamples = 4;
constexpr double kSlower = 1.10;  // int8 must be this much slower to be given up

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
        calibration_{graph, {}, options.keep_float} {}

  Result<Quantized> Run() {
    const Stopwatch watch;
    PARE_TRY(CheckGraph());
    PARE_ASSIGN(result_.split, data::SplitDataset(*dataset_, options_.split));
    if (!result_.split.note.empty()) progress_.Note(result_.split.note);
    PARE_ASSIGN(float_session_, model::MakeSession(calibration_.graph, context_));
    PARE_TRY(CollectStatistics(result_.split.calibration));
    PARE_TRY(SearchVariant());
    PARE_TRY(MakeOverflowSafe());
    if (!options_.keep_slow_layers) PARE_TRY(GiveBackSlowLayers());
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
  Status CheckGraph() const {
    for (graph::NodeId id : calibration_.graph.Order()) {
      if (calibration_.graph.node(id).op == "QuantizeLinear") {
        return Fail(ErrorKind::kUsage, "the model is quantized already",
                    "start from the float model it was made from");
      }
    }
    const Scheme scheme =
        MakeScheme(calibration_.graph, {.keep_float = options_.keep_float, .given_back = {}});
    const bool any = std::any_of(scheme.layers.begin(), scheme.layers.end(),
                                 [](const Layer& l) { return l.integer; });
    if (any) return {};
    std::string reason = "no layer of the model can be int8";
    if (!scheme.layers.empty())
      reason += Text("; ", scheme.layers[0].name, ": ", scheme.layers[0].reason);
    return Unsupported(reason,
                       "`pare inspect` lists the operators; --keep-float patterns may be too wide");
  }

  Result<data::Loader> MakeLoader(std::vector<int64_t> indices) const {
    return data::Loader::Make(
        dataset_, model::InputSpecs(calibration_.graph), std::move(indices),
        {.batch = options_.batch, .preprocess = preprocess_, .prefetch = true});
  }
  // Evenly drawn from the calibration samples.
  std::vector<int64_t> FewSamples(size_t count) const {
    const auto& all = result_.split.calibration;
    std::vector<int64_t> few;
    for (size_t i = 0; i < std::min(count, all.size()); ++i)
      few.push_back(all[i * all.size() / std::min(count, all.size())]);
    return few;
  }

  Status CollectStatistics(const std::vector<int64_t>& samples) {
    const Scheme scheme =
        MakeScheme(calibration_.graph, {.keep_float = options_.keep_float, .given_back = {}});
    PARE_ASSIGN(data::Loader loader, MakeLoader(samples));
    PARE_ASSIGN(calibration_.statistics,
                Collect(calibration_.graph, ValuesToObserve(calibration_.graph, scheme), loader,
                        context_, progress_));
    return {};
  }

  // How far the int8 form's outputs are from the float model's, on a few samples.
  Result<double> OutputError(const Graph& quantized) {
    PARE_ASSIGN(auto session, model::MakeSession(quantized, context_));
    PARE_ASSIGN(data::Loader loader, MakeLoader(FewSamples(kSearchSamples)));
    PairScore score;
    std::vector<Tensor> a(quantized.outputs().size()), b(a.size());
    while (true) {
      PARE_TRY(progress_.Check());
      PARE_ASSIGN(const auto batch, loader.Next());
      if (!batch) break;
      PARE_TRY(float_session_->Run(batch->inputs, a));
      PARE_TRY(session->Run(batch->inputs, b));
      score.Add(a, b, batch->count());
    }
    return score.relative_error();
  }

  Status TryVariant(const Calibration& calibration, const Variant& variant, bool equalized) {
    PARE_ASSIGN(Built built, Build(calibration, variant));
    PARE_ASSIGN(const double error, OutputError(built.graph));
    progress_.Advance(1);
    if (error >= best_error_) return {};
    best_error_ = error;
    best_ = std::move(built);
    variant_ = variant;
    result_.equalized = equalized;
    return {};
  }

  Status SearchVariant() {
    std::vector<Variant> variants;
    const bool automatic = options_.calibrator == Calibrator::kAuto;
    for (const Calibrator calibrator : automatic
                                           ? std::vector{Calibrator::kAuto, Calibrator::kMinMax,
                                                         Calibrator::kMse, Calibrator::kPercentile}
                                           : std::vector{options_.calibrator}) {
      for (const bool correct :
           options_.bias_correction ? std::vector{true, false} : std::vector{false}) {
        variants.push_back({.calibrator = calibrator,
                            .bias_correction = correct,
                            .given_back = {},
                            .weight_bits = {}});
      }
    }
    progress_.Stage("choosing ranges", static_cast<int64_t>(variants.size()));
    for (const Variant& variant : variants) PARE_TRY(TryVariant(calibration_, variant, false));
    if (options_.equalization) PARE_TRY(TryEqualized());
    return {};
  }

  // Scaling channels changes the distributions: they are collected again, on fewer samples.
  Status TryEqualized() {
    Calibration equalized = calibration_;
    const Scheme scheme =
        MakeScheme(equalized.graph, {.keep_float = options_.keep_float, .given_back = {}});
    if (EqualizeLayers(equalized.graph, scheme, calibration_.statistics).empty()) return {};
    PARE_ASSIGN(data::Loader loader, MakeLoader(FewSamples(4 * kSearchSamples)));
    PARE_ASSIGN(equalized.statistics,
                Collect(equalized.graph, ValuesToObserve(equalized.graph, scheme), loader, context_,
                        progress_));
    progress_.Stage("trying equalized layers", 1);
    PARE_TRY(TryVariant(equalized, variant_, true));
    if (result_.equalized) calibration_ = std::move(equalized);
    return {};
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
    PARE_ASSIGN(const Timed timed, ProfileInterleaved(sessions, batch->inputs, {.seconds = 0.6}));
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
    PARE_ASSIGN(const Timed timed, TimeInterleaved(sessions, batch->inputs, {.seconds = 0.6}));
    if (timed.speedup.low <= 1) return {};
    variant_ = std::move(mixed);
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
      PARE_TRY(Rebuild());
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
    result_.calibrator = variant_.calibrator;
    result_.bias_corrected = variant_.bias_correction;
  }

  std::shared_ptr<const data::Dataset> dataset_;
  const data::Preprocess& preprocess_;
  const model::Context& context_;
  const QuantizeOptions& options_;
  Progress& progress_;
  Calibration calibration_;
  std::unique_ptr<runtime::Session> float_session_;
  Built best_;
  Variant variant_;
  double best_error_ = 1e300;
  Quantized result_;
};

}  // namespace

Result<Quantized> Quantize(const Graph& graph, std::shared_ptr<const data::Dataset> dataset,
                           const data::Preprocess& preprocess, const model::Context& context,
                           const QuantizeOptions& options, Progress& progress) {
  return Quantizer(graph, std::move(dataset), preprocess, context, options, progress).Run();
}

}  // namespace pare::compress
