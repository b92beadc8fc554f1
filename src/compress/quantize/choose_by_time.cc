// Layers in the form that is fastest on this machine, as far as the answers stay what they are.
#include <algorithm>
#include <cmath>

#include "compress/compare.h"
#include "compress/layers.h"
#include "compress/quantize/stages.h"
#include "compress/quantize/ways_out.h"
#include "compress/timing.h"
#include "platform/file.h"
#include "train/checkpoint.h"

namespace pare::compress {
namespace {

constexpr double kTimingSeconds = 0.1;
// What layers in float must gain of a run's time to be tried: each border costs conversions.
constexpr double kLeastGain = 0.005;
// By how much one whole model must exceed another's time to be clearly slower.
constexpr double kClearlySlower = 1.05;
// Times of layers apart err by the fusions that they lack: where even so integers gain this much,
// they are not slower together.
constexpr double kClearlyFaster = 0.8;
constexpr double kParts[] = {1, 0.5, 0.25};  // of the layers that gain: what is tried
// What 7 bits may make of the squared error at the outputs: less than it changes from one set of
// pictures to another.
constexpr double kMostErrors = 1.1;

// Without dot products of bytes two products are added in 16 bits, where only those of 7-bit
// weights never overflow.
bool PrefersSevenBits(const Cpu& cpu) {
  return cpu.has(Isa::kAvx2) && !cpu.has(Isa::kAvxVnni) && !cpu.has(Isa::kAvx512Vnni);
}

class TimeChooser {
 public:
  TimeChooser(Job& job, std::span<const Tensor> inputs) : job_(job), inputs_(inputs) {}

  Status Run() {
    const bool may = job_.options.overflow_safe == OverflowSafe::kAuto;
    std::vector<std::string> names;
    if (may && PrefersSevenBits(job_.context.cpu)) names = LayersOfEightBits();
    job_.progress.Stage("comparing layer times", 0);
    if (names.empty()) {
      PARE_TRY(Measure(nullptr));
    } else {
      PARE_ASSIGN(const Form seven, job_.Make(WithSevenBits(names)));
      PARE_TRY(Measure(&seven));
      PARE_TRY(TakeSevenBits(FasterInSevenBits(names, in_int8_, in_seven_bits_, ms_)));
    }
    slow_ = SlowerThanFloat(job_.best.built.scheme, in_float_, in_int8_, ms_);
    PARE_ASSIGN(const bool given_back, GiveBackSlowLayers());
    PARE_ASSIGN(const bool slower, IsSlowerThanFloat());
    if (slower) return FindWayOut();
    if (!slow_.empty() && !given_back) NoteSlow();
    return {};
  }

 private:
  std::vector<std::string> LayersOfEightBits() const {
    std::vector<std::string> names = WeightedLayers(job_.best.built.scheme);
    std::erase_if(names, [&](const std::string& name) {
      return job_.best.variant.weight_bits.contains(name);
    });
    return names;
  }

  Variant WithSevenBits(std::span<const std::string> layers) const {
    return WithBits(job_.best.variant, layers, 7);
  }

  Result<std::unique_ptr<runtime::Session>> Apart(const graph::Graph& graph) const {
    return model::MakeSession(graph, job_.context, kLayersApart);
  }

  // By turns: the float model, the best form, and the one with 7 bits.
  Status Measure(const Form* seven) {
    PARE_ASSIGN(const auto in_float, Apart(job_.calibration.graph));
    PARE_ASSIGN(const auto in_int8, Apart(job_.best.built.graph));
    std::vector<runtime::Session*> sessions{in_float.get(), in_int8.get()};
    std::unique_ptr<runtime::Session> in_seven_bits;
    if (seven) {
      PARE_ASSIGN(in_seven_bits, Apart(seven->built.graph));
      sessions.push_back(in_seven_bits.get());
    }
    PARE_ASSIGN(const Timed timed,
                ProfileInterleaved(sessions, inputs_, {.seconds = kTimingSeconds}));
    const graph::Graph& graph = job_.best.built.graph;
    in_float_ = TimesByLayer(job_.calibration.graph, timed.sides[0].layers);
    in_int8_ = TimesByLayer(graph, timed.sides[1].layers);
    if (seven) in_seven_bits_ = TimesByLayer(graph, timed.sides[2].layers);
    float_ms_ = timed.sides[0].ms.median;
    ms_ = timed.sides[1].ms.median;
    return {};
  }

  // The layers that gain most, as many as together add little to the error at the outputs.
  Status TakeSevenBits(std::span<const FasterLayer> faster) {
    if (faster.empty()) return {};
    std::vector<std::string> names;
    for (const FasterLayer& layer : faster) names.push_back(layer.name);
    size_t tried = names.size() + 1;
    for (const double part : kParts) {
      const auto count = static_cast<size_t>(std::ceil(part * static_cast<double>(names.size())));
      if (count == tried) continue;
      tried = count;
      PARE_ASSIGN(Form form, job_.Make(WithSevenBits(std::span(names).first(count))));
      // The ranges were searched for weights of 7 bits: what the search saw speaks for these.
      runtime::Session* const sides[] = {job_.best.session.get(), form.session.get()};
      PARE_ASSIGN(const auto errors, job_.UnseenErrors(sides));
      if (!IsKnownError(errors[1]) || !(errors[1] <= kMostErrors * errors[0])) continue;
      job_.best = std::move(form);
      NoteSevenBits(faster.first(count));
      break;
    }
    return {};
  }

  void NoteSevenBits(std::span<const FasterLayer> layers) {
    for (const FasterLayer& layer : layers) {
      job_.timed.to_seven_bits[layer.name] = layer.why;
      in_int8_[layer.name] = in_seven_bits_[layer.name];
      ms_ -= layer.gained;
    }
  }

  // Whether any went.
  Result<bool> GiveBackSlowLayers() {
    if (slow_.empty() || GainOf(slow_) < kLeastGain * ms_) return false;
    Variant mixed = job_.best.variant;
    mixed.given_back.insert(slow_.begin(), slow_.end());
    PARE_ASSIGN(const Form form, job_.Make(mixed));
    const auto in_float = ThatRunInFloat(form, slow_);
    if (GainOf(in_float) < kLeastGain * ms_) return false;
    tried_slow_ = true;
    PARE_ASSIGN(const bool faster, IsFaster(form));
    if (!faster) return false;
    PARE_TRY(GiveBack(in_float));
    return true;
  }

  Status GiveBack(const WhyFloat& layers) {
    Variant mixed = job_.best.variant;
    mixed.given_back.insert(layers.begin(), layers.end());
    PARE_TRY(ChooseRanges(job_, std::move(mixed)));
    job_.timed.to_float.insert(layers.begin(), layers.end());
    for (const auto& [name, why] : layers) job_.timed.to_seven_bits.erase(name);
    return {};
  }

  // The best form, as a whole. Where layers apart show that it is not, nothing more is measured.
  Result<bool> IsSlowerThanFloat() {
    if (ms_ <= kClearlyFaster * float_ms_) return false;
    PARE_ASSIGN(float_, model::MakeSession(job_.calibration.graph, job_.context));
    runtime::Session* const sessions[] = {float_.get(), job_.best.session.get()};
    PARE_ASSIGN(const Timed timed, TimeInterleaved(sessions, inputs_, {.seconds = kTimingSeconds}));
    return timed.speedup.high * kClearlySlower < 1;
  }

  // The fastest of the best form and of those with further layers in float.
  Status FindWayOut() {
    PARE_ASSIGN(const auto ways, FindWays());
    std::vector<Variant> variants(ways.size(), job_.best.variant);
    for (size_t i = 0; i < ways.size(); ++i)
      variants[i].given_back.insert(ways[i].begin(), ways[i].end());
    PARE_ASSIGN(const auto forms, job_.Make(variants));
    std::vector<runtime::Session*> sessions{float_.get(), job_.best.session.get()};
    for (const Form& form : forms) sessions.push_back(form.session.get());
    PARE_ASSIGN(const Timed timed, TimeInterleaved(sessions, inputs_, {.seconds = kTimingSeconds}));
    std::vector<double> ms;
    for (const SideTimes& side : timed.sides) ms.push_back(side.ms.median);
    const size_t chosen = FirstOfFastest(std::span(ms).subspan(1));
    if (chosen > 0) {
      const Form& form = forms[chosen - 1];
      PARE_ASSIGN(const bool faster, IsFaster(form));  // many together are timed a few times each
      if (faster) PARE_TRY(GiveBack(ThatRunInFloat(form, ways[chosen - 1])));
    }
    if (ms[chosen + 1] * kClearlySlower > ms[0]) NoteNoneFaster();
    return {};
  }

  // By the times of layers apart, and by those of the models as they run: what one of them fuses
  // and the other doesn't is seen there alone. What keeps most in int8 comes first.
  Result<std::vector<WhyFloat>> FindWays() const {
    const graph::Graph& graph = job_.calibration.graph;
    const Scheme& scheme = job_.best.built.scheme;
    runtime::Session* const sessions[] = {float_.get(), job_.best.session.get()};
    PARE_ASSIGN(const Timed timed,
                ProfileInterleaved(sessions, inputs_, {.seconds = kTimingSeconds}));
    const LayerTimes in_float = TimesByLayer(graph, timed.sides[0].layers);
    const LayerTimes in_int8 = TimesByLayer(job_.best.built.graph, timed.sides[1].layers);
    const double ms = timed.sides[1].ms.median;
    std::vector<WhyFloat> ways{{}};  // what was tried
    if (tried_slow_) ways.push_back(slow_);
    const auto tried = static_cast<ptrdiff_t>(ways.size());
    AddWaysOut(graph, scheme, slow_, in_float_, in_int8_, ms_, ways);
    const WhyFloat slow = SlowerWhereFused(scheme, in_float, in_int8, ms);
    AddWaysOut(graph, scheme, slow, in_float, in_int8, ms, ways);
    ways.erase(ways.begin(), ways.begin() + tried);
    std::ranges::stable_sort(ways, {}, &WhyFloat::size);
    return ways;
  }

  void NoteNoneFaster() const {
    job_.progress.Note(
        "no form with int8 layers that was tried is faster than the float model on this machine at "
        "this shape, and the fastest was taken: for speed deploy the float file, or try a larger "
        "--batch or larger inputs; for size --target any keeps int8");
  }

  double GainOf(const WhyFloat& slow) const {
    double gain = 0;
    for (const auto& [name, why] : slow) gain += in_int8_.at(name) - in_float_.at(name);
    return gain;
  }

  // What has no weights and stands between integers is computed in integers whatever is wanted.
  static WhyFloat ThatRunInFloat(const Form& form, const WhyFloat& wanted) {
    WhyFloat in_float;
    for (const LayerReport& layer : ListLayers(form.built.graph, form.session->graph())) {
      const auto at = wanted.find(layer.name);
      if (at != wanted.end() && InFloat(layer)) in_float.insert(*at);
    }
    return in_float;
  }

  void NoteSlow() const {
    const bool one = slow_.size() == 1;
    job_.progress.Note(Text(slow_.size(), one ? " layer takes" : " layers take",
                            " longer in int8 than in float (", slow_.begin()->first,
                            one ? "" : ", …",
                            "), but float there gains the whole model nothing: int8 stays"));
  }

  // Each border between int8 and float costs conversions: the whole must gain, not the layer alone.
  Result<bool> IsFaster(const Form& form) const {
    runtime::Session* const sessions[] = {job_.best.session.get(), form.session.get()};
    PARE_ASSIGN(const Timed timed, TimeInterleaved(sessions, inputs_, {.seconds = kTimingSeconds}));
    return timed.speedup.low > 1;
  }

  Job& job_;
  std::span<const Tensor> inputs_;
  LayerTimes in_float_, in_int8_, in_seven_bits_;
  double float_ms_ = 0, ms_ = 0;  // a run of the float model, and of the best form; layers apart
  bool tried_slow_ = false;       // as a form without them
  WhyFloat slow_;                 // integer layers, before any went back
  std::unique_ptr<runtime::Session> float_;  // where the best form is held against it
};

// What a tuning that goes on decided when it began.
Result<bool> ChooseAsBefore(Job& job) {
  const auto& tune = job.options.tune;
  if (!tune || !tune->train.resume || !FileExists(tune->train.checkpoint)) return false;
  PARE_ASSIGN(const std::string text, train::DecisionsIn(tune->train.checkpoint));
  auto choices = TimedChoices::Parse(text);
  if (!choices) return Fail(choices.error().at(tune->train.checkpoint));
  job.timed = *std::move(choices);
  if (job.timed.empty()) return true;
  Variant mixed = job.best.variant;
  mixed.given_back.insert(job.timed.to_float.begin(), job.timed.to_float.end());
  for (const auto& [name, why] : job.timed.to_seven_bits) mixed.weight_bits[name] = 7;
  if (!job.timed.to_float.empty()) {
    PARE_TRY(ChooseRanges(job, std::move(mixed)));
  } else {
    PARE_ASSIGN(job.best, job.Make(mixed));
  }
  return true;
}

}  // namespace

Status ChooseByTime(Job& job) {
  PARE_ASSIGN(const bool chosen, ChooseAsBefore(job));
  if (chosen) return {};
  PARE_ASSIGN(data::Loader loader, job.samples.Load(job.samples.Few(job.options.batch)));
  PARE_ASSIGN(const auto batch, loader.Next());
  return batch ? TimeChooser(job, batch->inputs).Run() : Status();
}

}  // namespace pare::compress
