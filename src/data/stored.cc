#include "data/stored.h"

#include <algorithm>

namespace pare::data {

std::vector<std::string> LinesOf(std::string_view text) {
  std::vector<std::string> lines;
  for (size_t end; !text.empty(); text.remove_prefix(std::min(text.size(), end + 1))) {
    end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
  }
  return lines;
}

void UseStored(const std::map<std::string, std::string>& metadata, DatasetOptions& options) {
  const auto stored = [&](const char* key) {
    const auto at = metadata.find(key);
    return at == metadata.end() ? std::string() : at->second;
  };
  if (options.classes_path.empty() && options.classes_text.empty())
    options.classes_text = stored(kClassesKey);
  if (options.usual_label_column.empty()) options.usual_label_column = stored(kLabelKey);
  if (options.usual_target_columns.empty() && options.label_column.empty())
    options.usual_target_columns = LinesOf(stored(kTargetsKey));
  if (options.columns.empty()) options.columns = LinesOf(stored(kColumnsKey));
}

void InheritStored(const std::map<std::string, std::string>& from,
                   std::map<std::string, std::string>& to) {
  constexpr const char* kAnswers[] = {kClassesKey, kLabelKey, kTargetsKey};
  const auto inherit = [&](const char* key) {
    if (const auto at = from.find(key); at != from.end()) to.emplace(*at);
  };
  inherit(kColumnsKey);
  if (std::ranges::any_of(kAnswers, [&](const char* key) { return to.contains(key); })) return;
  for (const char* key : kAnswers) inherit(key);
}

}  // namespace pare::data
