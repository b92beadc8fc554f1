// The stages of a quantization, in their order, and what they share. Each leaves its choice in
// `best`.
#pragma once

#include <memory>

#include "compress/quantize/forms.h"
#include "compress/quantize/probe.h"
#include "compress/quantize/quantize.h"
#include "compress/quantize/samples.h"
#include "compress/quantize/timed_choices.h"

namespace pare::compress {

constexpr int64_t kSearchSamples = 12;      // of the probe, which the search for ranges looks at
constexpr int64_t kAllSamples = INT64_MAX;  // of the probe

struct Job {
  const model::Context& context;
  const QuantizeOptions& options;
  Progress& progress;
  Samples samples;
  Calibration calibration;
  Probe probe;
  Form best;  // so far
  TimedChoices timed;

  Result<std::vector<Form>> Make(std::span<const Variant> variants) {
    return MakeForms(calibration, variants, probe.shapes(), context);
  }
  Result<Form> Make(const Variant& variant) {
    return MakeForm(calibration, variant, probe.shapes(), context);
  }
  // Relative, each form's, on the samples that the search for ranges did not look at.
  Result<std::vector<double>> UnseenErrors(std::span<runtime::Session* const> forms) const {
    return probe.ErrorsOfOthers(forms, kSearchSamples, progress);
  }
  // Of the form from the float model, over all samples of the probe; measured once.
  Result<const Probe::Difference*> DifferenceOf(Form& form) const {
    if (!form.difference) {
      PARE_ASSIGN(form.difference, probe.Compare(*form.session, progress));
    }
    return &*form.difference;
  }
};

// The names of the integer layers that have weights.
std::vector<std::string> WeightedLayers(const Scheme& scheme);
Variant WithBits(Variant variant, std::span<const std::string> layers, int bits);
// Every layer with the bits that options.weight_bits asks for.
Variant FirstVariant(const Job& job);
// The calibrator, and with kAuto the ranges, with the least error at the outputs.
Status ChooseForm(Job& job);
// `best` becomes this form with the calibrator and the ranges that serve it: those that were chosen
// before served layers that are integer no more.
Status ChooseRanges(Job& job, Variant variant);
// 4-bit weights as options.weight_bits = kAuto says.
Status ChooseWeightBits(Job& job);
// 7-bit weights as options.overflow_safe says.
Status MakeOverflowSafe(Job& job);
// By times here and at this shape: layers become 7-bit where that is faster on CPUs without dot
// products of bytes and adds no notable error, and float where integers are slower and the whole
// model gains by it.
Status ChooseByTime(Job& job);
// What all roundings together shift the outputs by on average, the last layers take back.
Status CorrectOutputs(Job& job);
// Gives the fewest of the worst layers back whose return to float holds options.max_drop on
// `samples`; kUnmet where even all don't. Whether any was needed.
Result<bool> HoldMaxDrop(Job& job, const std::vector<int64_t>& samples);
// Whether this form holds it.
Result<bool> HoldsMaxDrop(Job& job, const Form& form, const std::vector<int64_t>& samples);

}  // namespace pare::compress
