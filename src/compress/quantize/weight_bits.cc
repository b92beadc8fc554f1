// --weight-bits: the bits that all layers begin with, and the search for those that may have fewer.
#include "compress/quantize/weight_bits.h"

#include <algorithm>

#include "compress/quantize/stages.h"

namespace pare::compress {
namespace {

constexpr size_t kFormsTogether = 4;  // memory
// What all layers with few bits together may add to the error that eight bits have already: less
// than that error changes from one set of samples to another.
constexpr double kMeasurable = 1.1;

// Layers by what 4 bits in each alone do to the outputs, the least first.
Result<std::vector<std::string>> LeastHarmFirst(Job& job, std::vector<std::string> names) {
  job.progress.Stage("trying 4-bit weights", std::ssize(names));
  std::vector<std::pair<double, std::string>> by_error;
  for (size_t begin = 0; begin < names.size(); begin += kFormsTogether) {
    const size_t count = std::min(kFormsTogether, names.size() - begin);
    std::vector<Variant> variants;
    for (size_t i = begin; i < begin + count; ++i)
      variants.push_back(WithBits(job.best.variant, std::span(&names[i], 1), 4));
    PARE_ASSIGN(const auto forms, job.Make(variants));
    PARE_ASSIGN(const auto errors, job.probe.Errors(SessionsOf(forms), kAllSamples, job.progress));
    for (size_t i = 0; i < count; ++i) by_error.emplace_back(errors[i], names[begin + i]);
    job.progress.Advance(static_cast<int64_t>(count));
  }
  std::stable_sort(by_error.begin(), by_error.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < names.size(); ++i) names[i] = std::move(by_error[i].second);
  return names;
}

}  // namespace

std::vector<std::string> WeightedLayers(const Scheme& scheme) {
  std::vector<std::string> names;
  for (const Layer& layer : scheme.layers) {
    if (layer.integer && layer.weighted) names.push_back(layer.name);
  }
  return names;
}

Variant WithBits(Variant variant, std::span<const std::string> layers, int bits) {
  for (const std::string& name : layers) variant.weight_bits[name] = bits;
  return variant;
}

Result<WeightBits> ParseWeightBits(std::string_view name) {
  if (name == "8") return WeightBits::k8;
  if (name == "7") return WeightBits::k7;
  if (name == "4") return WeightBits::k4;
  if (name == "auto") return WeightBits::kAuto;
  return Fail(ErrorKind::kUsage, Text("\"", name, "\" is none of 8, 7, 4 and auto"));
}

int FirstBits(WeightBits bits) {
  return bits == WeightBits::k4 ? 4 : bits == WeightBits::k7 ? 7 : 8;
}

Variant FirstVariant(const Job& job) {
  Variant variant;
  variant.bias_correction = job.options.bias_correction;
  const int bits = FirstBits(job.options.weight_bits);
  if (bits == 8) return variant;
  const Scheme scheme = MakeScheme(job.calibration.graph,
                                   {.keep_float = job.calibration.keep_float, .given_back = {}});
  return WithBits(std::move(variant), WeightedLayers(scheme), bits);
}

// The most layers, those first that harm least alone, whose harm together is below what counts.
Status ChooseWeightBits(Job& job) {
  if (job.options.weight_bits != WeightBits::kAuto) return {};
  runtime::Session* const best[] = {job.best.session.get()};
  PARE_ASSIGN(const auto eight, job.probe.Errors(best, kAllSamples, job.progress));
  if (!IsKnownError(eight[0])) return {};  // nothing tells what fewer bits do
  PARE_ASSIGN(const auto names, LeastHarmFirst(job, WeightedLayers(job.best.built.scheme)));
  const Variant base = job.best.variant;
  size_t holds = 0, fails = names.size() + 1;
  while (fails - holds > 1) {
    const size_t middle = (holds + fails) / 2;
    PARE_ASSIGN(Form form, job.Make(WithBits(base, std::span(names).first(middle), 4)));
    runtime::Session* const tried[] = {form.session.get()};
    PARE_ASSIGN(const auto errors, job.probe.Errors(tried, kAllSamples, job.progress));
    if (errors[0] > kMeasurable * eight[0]) {
      fails = middle;
      continue;
    }
    holds = middle;
    job.best = std::move(form);
  }
  job.progress.Note(Text("--weight-bits auto: ", holds, " of ", names.size(),
                         " layers have weights of 4 bits, as many as add little to the error"));
  return {};
}

}  // namespace pare::compress
