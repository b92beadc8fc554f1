#include "compress/quantize/slow_layers.h"

#include <charconv>
#include <map>
#include <optional>

#include "compress/layers.h"
#include "compress/quantize/stages.h"
#include "platform/file.h"
#include "train/checkpoint.h"

namespace pare::compress {
namespace {

constexpr double kTimingSeconds = 0.12;

// Layer → why it shall be float.
Result<std::map<std::string, std::string>> SlowLayers(const Job& job,
                                                      std::span<const Tensor> inputs) {
  const Built& built = job.best.built;
  runtime::Session* const sessions[] = {job.float_session.get(), job.best.session.get()};
  PARE_ASSIGN(const Timed timed, ProfileInterleaved(sessions, inputs, {.seconds = kTimingSeconds}));
  return SlowerThanFloat(built.scheme, TimesByLayer(job.calibration.graph, timed.sides[0].layers),
                         TimesByLayer(built.graph, timed.sides[1].layers),
                         timed.sides[1].ms.median);
}

// Each text behind its length.
std::string TextOf(const std::map<std::string, std::string>& slow) {
  std::string text;
  for (const auto& [name, why] : slow) text += Text(name.size(), ':', name, why.size(), ':', why);
  return text;
}

std::optional<std::string> TakeText(std::string_view& from) {
  size_t size = 0;
  const auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), size);
  if (error != std::errc() || end == from.data() + from.size() || *end != ':') return std::nullopt;
  from.remove_prefix(static_cast<size_t>(end - from.data()) + 1);
  if (from.size() < size) return std::nullopt;
  std::string text(from.substr(0, size));
  from.remove_prefix(size);
  return text;
}

Result<std::map<std::string, std::string>> SlowLayersIn(std::string_view text) {
  std::map<std::string, std::string> slow;
  while (!text.empty()) {
    const auto name = TakeText(text), why = TakeText(text);
    if (!name || !why) {
      return Invalid("its list of layers that measured slower can't be read",
                     "the file is damaged: start anew without --resume");
    }
    slow[*name] = *why;
  }
  return slow;
}

// What a tuning that goes on decided when it began: measured anew it could be something else.
Result<bool> DecideAsBefore(Job& job) {
  const auto& tune = job.options.tune;
  if (!tune || !tune->train.resume || !FileExists(tune->train.checkpoint)) return false;
  PARE_ASSIGN(job.decisions, train::DecisionsIn(tune->train.checkpoint));
  const auto slow = SlowLayersIn(job.decisions);
  if (!slow) return Fail(slow.error().at(tune->train.checkpoint));
  if (slow->empty()) return true;
  Variant mixed = job.best.variant;
  mixed.given_back.insert(slow->begin(), slow->end());
  PARE_ASSIGN(job.best, job.Make(mixed));
  return true;
}

}  // namespace

std::map<std::string, std::string> SlowerThanFloat(const Scheme& scheme,
                                                   const std::map<std::string, double>& before,
                                                   const std::map<std::string, double>& after,
                                                   double ms) {
  // How much longer int8 must take to be given up: less is within what measuring so short a time
  // errs by, and a layer in float is four times as large.
  constexpr int kSlowerPercent = 10;
  // A layer that takes less of the model's time can gain nothing.
  constexpr double kLeastShare = 0.005;
  std::map<std::string, std::string> slow;
  for (const Layer& layer : scheme.layers) {
    const auto a = before.find(layer.name), b = after.find(layer.name);
    if (!layer.integer || a == before.end() || b == after.end()) continue;
    if (b->second * 100 < a->second * (100 + kSlowerPercent) || b->second < kLeastShare * ms)
      continue;
    slow[layer.name] = Text("int8 is slower here by ", kSlowerPercent, " % or more: ", b->second,
                            " ms against ", a->second, " ms in float");
  }
  return slow;
}

Status GiveBackSlowLayers(Job& job) {
  PARE_ASSIGN(const bool decided, DecideAsBefore(job));
  if (decided) return {};
  job.progress.Stage("comparing layer times", 0);
  PARE_ASSIGN(data::Loader loader, job.samples.Load(job.samples.Few(1)));
  PARE_ASSIGN(const auto batch, loader.Next());
  if (!batch) return {};
  PARE_ASSIGN(const auto slow, SlowLayers(job, batch->inputs));
  if (slow.empty()) return {};
  Variant mixed = job.best.variant;
  mixed.given_back.insert(slow.begin(), slow.end());
  PARE_ASSIGN(Form form, job.Make(mixed));
  // Each border between float and int8 costs conversions: the whole must gain, not the layer
  // alone.
  runtime::Session* const sessions[] = {job.best.session.get(), form.session.get()};
  PARE_ASSIGN(const Timed timed,
              TimeInterleaved(sessions, batch->inputs, {.seconds = kTimingSeconds}));
  if (timed.speedup.low <= 1) {
    job.progress.Note(Text(slow.size(), slow.size() == 1 ? " layer takes" : " layers take",
                           " longer in int8 than in float (", slow.begin()->first,
                           slow.size() == 1 ? "" : ", …",
                           "), but float there gains the whole model nothing: int8 stays"));
    return {};
  }
  job.best = std::move(form);
  job.decisions = TextOf(slow);
  return {};
}

}  // namespace pare::compress
