// Layers in the form that is fastest on this machine, as far as the answers stay what they are.
#include <algorithm>

#include "compress/layers.h"
#include "compress/quantize/stages.h"
#include "platform/file.h"
#include "train/checkpoint.h"

namespace pare::compress {
namespace {

constexpr double kTimingSeconds = 0.12;
constexpr int64_t kProbed = 32;  // samples: all that the probe has
// What 7 bits may make of the squared error at the outputs: no more than it changes from one set of
// pictures to another.
constexpr double kMostErrors = 1.25;

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
    if (may && PrefersSevenBits(job_.context.cpu)) PARE_TRY(TakeSevenBits());
    return GiveBackSlowLayers();
  }

 private:
  // The layers that gain most, as many as together add no notable error to the outputs.
  Status TakeSevenBits() {
    PARE_ASSIGN(const auto faster, LayersFasterInSevenBits());
    runtime::Session* const eight[] = {job_.best.session.get()};
    PARE_ASSIGN(const auto errors, job_.probe.Errors(eight, kProbed, job_.progress));
    const double most = kMostErrors * errors[0];
    std::optional<Form> held;
    size_t holds = 0, fails = faster.size() + 1;
    for (size_t count = faster.size(); count > holds; count = (holds + fails) / 2) {
      PARE_ASSIGN(Form form, job_.Make(WithSevenBits(std::span(faster).first(count))));
      runtime::Session* const tried[] = {form.session.get()};
      PARE_ASSIGN(const auto error, job_.probe.Errors(tried, kProbed, job_.progress));
      (error[0] <= most ? holds : fails) = count;
      if (holds == count) held = std::move(form);
    }
    if (!held) return {};
    job_.best = *std::move(held);
    for (const FasterLayer& layer : std::span(faster).first(holds))
      job_.timed.to_seven_bits[layer.name] = layer.why;
    return {};
  }

  Result<std::vector<FasterLayer>> LayersFasterInSevenBits() {
    const Variant& best = job_.best.variant;
    std::vector<std::string> names;
    std::vector<FasterLayer> all;
    for (const Layer& layer : job_.best.built.scheme.layers) {
      if (!layer.integer || !layer.weighted || best.weight_bits.contains(layer.name)) continue;
      names.push_back(layer.name);
      all.push_back({.name = layer.name, .why = {}});
    }
    if (names.empty()) return all;
    job_.progress.Stage("comparing weights of 7 and 8 bits", 0);
    PARE_ASSIGN(const Form seven, job_.Make(WithSevenBits(all)));
    PARE_ASSIGN(const auto times, TimesOf(*job_.best.session, *seven.session));
    return FasterInSevenBits(names, TimesByLayer(job_.best.built.graph, times.sides[0].layers),
                             TimesByLayer(seven.built.graph, times.sides[1].layers),
                             times.sides[0].ms.median);
  }

  Variant WithSevenBits(std::span<const FasterLayer> layers) const {
    Variant variant = job_.best.variant;
    for (const FasterLayer& layer : layers) variant.weight_bits[layer.name] = 7;
    return variant;
  }

  Status GiveBackSlowLayers() {
    job_.progress.Stage("comparing layer times", 0);
    const Built& built = job_.best.built;
    PARE_ASSIGN(const auto times, TimesOf(*job_.float_session, *job_.best.session));
    const auto slow =
        SlowerThanFloat(built.scheme, TimesByLayer(job_.calibration.graph, times.sides[0].layers),
                        TimesByLayer(built.graph, times.sides[1].layers), times.sides[1].ms.median);
    if (slow.empty()) return {};
    Variant mixed = job_.best.variant;
    mixed.given_back.insert(slow.begin(), slow.end());
    PARE_ASSIGN(Form form, job_.Make(mixed));
    PARE_ASSIGN(const bool faster, IsFaster(form));
    if (!faster) {
      job_.progress.Note(Text(slow.size(), slow.size() == 1 ? " layer takes" : " layers take",
                              " longer in int8 than in float (", slow.begin()->first,
                              slow.size() == 1 ? "" : ", …",
                              "), but float there gains the whole model nothing: int8 stays"));
      return {};
    }
    job_.best = std::move(form);
    job_.timed.to_float = slow;
    for (const auto& [name, why] : slow) job_.timed.to_seven_bits.erase(name);
    return {};
  }

  Result<Timed> TimesOf(runtime::Session& a, runtime::Session& b) const {
    runtime::Session* const sessions[] = {&a, &b};
    return ProfileInterleaved(sessions, inputs_, {.seconds = kTimingSeconds});
  }

  // Each border between int8 and float costs conversions: the whole must gain, not the layer alone.
  Result<bool> IsFaster(const Form& form) const {
    runtime::Session* const sessions[] = {job_.best.session.get(), form.session.get()};
    PARE_ASSIGN(const Timed timed, TimeInterleaved(sessions, inputs_, {.seconds = kTimingSeconds}));
    return timed.speedup.low > 1;
  }

  Job& job_;
  std::span<const Tensor> inputs_;
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
  PARE_ASSIGN(job.best, job.Make(mixed));
  return true;
}

}  // namespace

Status ChooseByTime(Job& job) {
  PARE_ASSIGN(const bool chosen, ChooseAsBefore(job));
  if (chosen) return {};
  PARE_ASSIGN(data::Loader loader, job.samples.Load(job.samples.Few(1)));
  PARE_ASSIGN(const auto batch, loader.Next());
  return batch ? TimeChooser(job, batch->inputs).Run() : Status();
}

}  // namespace pare::compress
