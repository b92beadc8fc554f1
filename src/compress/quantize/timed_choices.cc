#include "compress/quantize/timed_choices.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace pare::compress {
namespace {

// By how much one time must exceed another: less is within what measuring so short a time errs by,
// and both choices cost something, size or precision.
constexpr int kClearlyPercent = 10;
// A layer that takes less of the model's time can gain nothing.
constexpr double kLeastShare = 0.005;
constexpr std::string_view kBeforeTimes = ": ";  // in a reason

bool ClearlyMore(double more, double less, double ms) {
  return more * 100 >= less * (100 + kClearlyPercent) && more >= kLeastShare * ms;
}

void AddTexts(std::string& text, const std::map<std::string, std::string>& choices) {
  text += Text(choices.size(), ':');
  for (const auto& [name, why] : choices)
    text += Text(name.size(), ':', name, why.size(), ':', why);
}

std::optional<size_t> TakeNumber(std::string_view& from) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), number);
  if (error != std::errc() || end == from.data() + from.size() || *end != ':') return std::nullopt;
  from.remove_prefix(static_cast<size_t>(end - from.data()) + 1);
  return number;
}

std::optional<std::string> TakeText(std::string_view& from) {
  const auto size = TakeNumber(from);
  if (!size || from.size() < *size) return std::nullopt;
  std::string text(from.substr(0, *size));
  from.remove_prefix(*size);
  return text;
}

std::optional<std::map<std::string, std::string>> TakeTexts(std::string_view& from) {
  const auto count = TakeNumber(from);
  if (!count) return std::nullopt;
  std::map<std::string, std::string> choices;
  for (size_t i = 0; i < *count; ++i) {
    auto name = TakeText(from), why = TakeText(from);
    if (!name || !why) return std::nullopt;
    choices[*std::move(name)] = *std::move(why);
  }
  return choices;
}

}  // namespace

std::string TimedChoices::Text() const {
  std::string text;
  if (empty()) return text;
  AddTexts(text, to_float);
  AddTexts(text, to_seven_bits);
  return text;
}

Result<TimedChoices> TimedChoices::Parse(std::string_view text) {
  if (text.empty()) return TimedChoices();
  auto to_float = TakeTexts(text);
  auto to_seven_bits = to_float ? TakeTexts(text) : std::nullopt;
  if (!to_seven_bits || !text.empty()) {
    return Invalid("its list of layers that were chosen by their times can't be read",
                   "the file is damaged, or of another version: remove it to begin anew");
  }
  return TimedChoices{*std::move(to_float), *std::move(to_seven_bits)};
}

std::map<std::string, std::string> SlowerThanFloat(const Scheme& scheme, const LayerTimes& in_float,
                                                   const LayerTimes& in_int8, double ms) {
  std::map<std::string, std::string> slow;
  for (const Layer& layer : scheme.layers) {
    const auto a = in_float.find(layer.name), b = in_int8.find(layer.name);
    if (!layer.integer || a == in_float.end() || b == in_int8.end()) continue;
    if (!ClearlyMore(b->second, a->second, ms)) continue;
    slow[layer.name] =
        pare::Text("int8 is slower here by ", kClearlyPercent, " % or more", kBeforeTimes,
                   b->second, " ms against ", a->second, " ms in float");
  }
  return slow;
}

std::map<std::string, std::string> NotFasterThanFloat(const Scheme& scheme,
                                                      const LayerTimes& in_float,
                                                      const LayerTimes& in_int8, double ms) {
  std::map<std::string, std::string> others;
  for (const Layer& layer : scheme.layers) {
    if (!layer.integer) continue;
    std::string& why = others[layer.name];
    why = "int8 is not clearly faster here, and the model is slower with it";
    const auto a = in_float.find(layer.name), b = in_int8.find(layer.name);
    if (a == in_float.end() || b == in_int8.end()) continue;
    if (ClearlyMore(a->second, b->second, ms)) {
      others.erase(layer.name);
    } else {
      why += pare::Text(kBeforeTimes, b->second, " ms against ", a->second, " ms in float");
    }
  }
  return others;
}

std::vector<FasterLayer> FasterInSevenBits(const std::vector<std::string>& layers,
                                           const LayerTimes& eight, const LayerTimes& seven,
                                           double ms) {
  std::vector<FasterLayer> faster;
  for (const std::string& name : layers) {
    const auto a = eight.find(name), b = seven.find(name);
    if (a == eight.end() || b == seven.end() || !ClearlyMore(a->second, b->second, ms)) continue;
    faster.push_back({.name = name,
                      .why = pare::Text("7-bit weights are faster here", kBeforeTimes, b->second,
                                        " ms against ", a->second, " ms with 8 bits"),
                      .gained = a->second - b->second});
  }
  std::ranges::stable_sort(faster, std::greater(), &FasterLayer::gained);
  return faster;
}

std::vector<LayerReport> WithoutTimes(std::vector<LayerReport> layers,
                                      const TimedChoices& choices) {
  for (LayerReport& layer : layers) {
    for (const auto* chosen : {&choices.to_float, &choices.to_seven_bits}) {
      const auto at = chosen->find(layer.name);
      if (at != chosen->end() && layer.reason == at->second)
        layer.reason.resize(std::min(layer.reason.size(), layer.reason.find(kBeforeTimes)));
    }
  }
  return layers;
}

}  // namespace pare::compress
