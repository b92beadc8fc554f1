#include "api/option_names.h"

#include <algorithm>
#include <utility>

namespace pare {
namespace {

// Options that the library hasn't, or has as one of another form.
constexpr std::pair<std::string_view, std::string_view> kPhrases[] = {
    {"--limit, ", ""},
    {"--rgb or --bgr", "channels"},
    {"--seconds makes it narrower where the machine is idle", "on an idle machine it is narrower"},
    {"--targets FILE brings", "TrainByTargets takes"},
    {"--targets FILE or --target-columns", "targets of the dataset"},
    {"the file that --targets names", "the targets"},
    {"--target any", "any_target"},
};

// Options whose names differ in more than their form.
constexpr std::pair<std::string_view, std::string_view> kNames[] = {
    {"clip", "clip_norm"},
    {"label", "label_column"},
    {"max-memory", "max_memory_mb"},
    {"tune", "tune_steps"},
};

bool IsNamePart(char c) { return (c >= 'a' && c <= 'z') || c == '-'; }
bool IsCapital(char c) { return c >= 'A' && c <= 'Z'; }

// Behind "--": the name, and a word in capitals that stands for its value.
std::string TakeOption(std::string_view& text) {
  const size_t end = std::ranges::find_if_not(text, IsNamePart) - text.begin();
  std::string name(text.substr(0, end));
  text.remove_prefix(end);
  if (text.size() > 2 && text[0] == ' ' && IsCapital(text[1]) && IsCapital(text[2]))
    text.remove_prefix(std::ranges::find_if_not(text.substr(1), IsCapital) - text.begin());
  const auto* other =
      std::ranges::find(kNames, name, &std::pair<std::string_view, std::string_view>::first);
  if (other != std::end(kNames)) return std::string(other->second);
  std::ranges::replace(name, '-', '_');
  return name;
}

bool BeginsOption(std::string_view text, char before) {
  return text.size() > 2 && text.starts_with("--") && IsNamePart(text[2]) && text[2] != '-' &&
         (before == ' ' || before == '(');
}

}  // namespace

std::string InApiNames(std::string_view text) {
  std::string named;
  bool command = false;
  for (char before = ' '; !text.empty(); before = named.empty() ? ' ' : named.back()) {
    const auto phrase = std::ranges::find_if(kPhrases, [&](const auto& p) {
      return text.starts_with(p.first) &&
             (text.size() == p.first.size() || !IsNamePart(text[p.first.size()]));
    });
    if (!command && phrase != std::end(kPhrases)) {
      named += phrase->second;
      text.remove_prefix(phrase->first.size());
    } else if (!command && BeginsOption(text, before)) {
      text.remove_prefix(2);
      named += TakeOption(text);
    } else {
      command ^= text[0] == '`';
      named += text[0];
      text.remove_prefix(1);
    }
  }
  return named;
}

Error InApiNames(const Error& error) {
  const Error bare(error.kind(), error.reason(), error.advice());
  const std::string whole = error.message();
  const std::string path = whole.substr(0, whole.size() - bare.message().size());
  const Error named(error.kind(), InApiNames(error.reason()), InApiNames(error.advice()));
  return path.size() < 2 ? named : named.at(path.substr(0, path.size() - 2));  // before ": "
}

}  // namespace pare
