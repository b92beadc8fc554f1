// The search for the int8 form whose outputs are nearest to the float model's.
#include <algorithm>

#include "compress/quantize/correct_bias.h"
#include "compress/quantize/refine.h"
#include "compress/quantize/stages.h"

namespace pare::compress {
namespace {

constexpr int64_t kScreeningSamples = 4;  // of a search's, to find whom to look at closely
constexpr size_t kSaturationSamples = 4;
constexpr int64_t kManyAnswers = 32;  // numbers of a sample

// How many times the error that samples show is expected of ranges that cut. Where a sample is
// answered by a few values, the error is that of the largest, which are rare: other samples may
// have larger ones. Of classes these have the largest margins.
double CautionOf(const Job& job) {
  const bool classes = ChooseMetric(job.options.metric, job.calibration.graph) == Metric::kTop;
  return classes || job.probe.answers() > kManyAnswers ? 1 : 2;
}

// Which calibrator gives `variant` its best form.
Status ChooseCalibrator(Job& job, const Variant& variant) {
  std::vector<Calibrator> calibrators{job.options.calibrator};
  if (calibrators[0] == Calibrator::kAuto) {
    calibrators.insert(calibrators.end(), {Calibrator::kMinMax, Calibrator::kPercentile});
    if (!job.calibration.output_ranges.empty()) calibrators.push_back(Calibrator::kOutputs);
  }
  job.progress.Stage("choosing ranges", std::ssize(calibrators));
  std::vector<Variant> variants;
  for (const Calibrator calibrator : calibrators) {
    variants.push_back(variant);
    variants.back().calibrator = calibrator;
  }
  PARE_ASSIGN(auto forms, job.Make(variants));
  PARE_ASSIGN(const auto errors, job.probe.Errors(SessionsOf(forms), kAllSamples, job.progress));
  const double caution = CautionOf(job);
  const auto expected = [&](size_t i) {
    return variants[i].calibrator == Calibrator::kMinMax ? errors[i] : caution * errors[i];
  };
  size_t best = 0;
  for (size_t i = 1; i < forms.size(); ++i)
    if (expected(i) < expected(best)) best = i;
  job.best = std::move(forms[best]);
  return {};
}

// The ranges of `best`, which are a calibrator's, refined: where samples that the search has not
// seen gain by it, too.
Status Refine(Job& job) {
  // What a calibrator chosen by hand gives is left as it is. Ranges by the outputs' gradients are
  // what this looks for.
  if (job.options.calibrator != Calibrator::kAuto ||
      job.best.variant.calibrator == Calibrator::kOutputs)
    return {};
  const auto best_of = [&](std::span<const Variant> variants) -> Result<Probe::Best> {
    PARE_ASSIGN(const auto forms, job.Make(variants));
    return job.probe.BestOf(SessionsOf(forms), kScreeningSamples, kSearchSamples, job.progress);
  };
  runtime::Session* const start[] = {job.best.session.get()};
  PARE_ASSIGN(const auto error, job.probe.Errors(start, kSearchSamples, job.progress));
  PARE_ASSIGN(const Variant refined, RefineRanges(job.calibration, job.best.built, job.best.variant,
                                                  error[0], best_of, job.progress));
  if (refined.range_factors.empty()) return {};
  PARE_ASSIGN(Form form, job.Make(refined));
  runtime::Session* const sides[] = {job.best.session.get(), form.session.get()};
  PARE_ASSIGN(const auto errors, job.UnseenErrors(sides));
  if (CautionOf(job) * errors[1] <= errors[0]) job.best = std::move(form);
  return {};
}

// The search's form of `variant`: with weights of 7 bits where it has 8. What ranges serve, weights
// hardly matter for, and CPUs without dot products of bytes multiply 7 bits much faster.
Variant WithFastWeights(const Job& job, Variant variant) {
  const Scheme scheme = MakeScheme(job.calibration.graph, {.keep_float = job.calibration.keep_float,
                                                           .given_back = variant.given_back});
  for (const std::string& layer : WeightedLayers(scheme)) variant.weight_bits.try_emplace(layer, 7);
  return variant;
}

}  // namespace

Status ChooseRanges(Job& job, Variant variant) {
  variant.range_factors.clear();
  variant.output_shift.clear();
  const auto weight_bits = variant.weight_bits;
  PARE_TRY(ChooseCalibrator(job, WithFastWeights(job, std::move(variant))));
  PARE_TRY(Refine(job));
  Variant chosen = job.best.variant;
  if (chosen.weight_bits == weight_bits) return {};
  chosen.weight_bits = weight_bits;
  PARE_ASSIGN(job.best, job.Make(chosen));
  return {};
}

Status ChooseForm(Job& job) { return ChooseRanges(job, FirstVariant(job)); }

Status MakeOverflowSafe(Job& job) {
  const OverflowSafe when = job.options.overflow_safe;
  if (when == OverflowSafe::kNever) return {};
  const Built& built = job.best.built;
  std::map<graph::NodeId, double> snr;
  if (when == OverflowSafe::kAuto) {
    PARE_ASSIGN(auto loaders, job.samples.Shards(job.samples.Few(kSaturationSamples)));
    PARE_ASSIGN(snr, SaturationSnr(built.graph, built.scheme, loaders, job.context, job.progress));
  }
  Variant safe = job.best.variant;
  for (const Layer& layer : built.scheme.layers) {
    if (!layer.integer || !layer.weighted || safe.weight_bits.contains(layer.name)) continue;
    const auto at = snr.find(layer.node);
    const bool loses = at != snr.end() && at->second < kSaturationSnrDb;
    if (loses || when == OverflowSafe::kAlways) safe.weight_bits[layer.name] = 7;
  }
  if (safe.weight_bits == job.best.variant.weight_bits) return {};
  PARE_ASSIGN(job.best, job.Make(safe));
  return {};
}

Status CorrectOutputs(Job& job) {
  const graph::Graph& graph = job.calibration.graph;
  PARE_ASSIGN(const auto* before, job.DifferenceOf(job.best));
  Variant corrected = job.best.variant;
  for (int i = 0; i < std::ssize(graph.outputs()); ++i) {
    const Layer* layer = OutputLayer(graph, job.best.built.scheme, i);
    if (!layer) continue;
    const std::vector<double>& shift = before->means[i];
    if (std::ssize(shift) == WeightChannels(graph, graph.node(layer->node)))
      corrected.output_shift[layer->name] = shift;
  }
  if (corrected.output_shift.empty()) return {};
  PARE_ASSIGN(Form form, job.Make(corrected));
  PARE_ASSIGN(const auto* after, job.DifferenceOf(form));
  if (after->error < before->error) job.best = std::move(form);
  return {};
}

}  // namespace pare::compress
