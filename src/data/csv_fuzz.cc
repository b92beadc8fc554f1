// The first line is the label column, and then a target's; the rest is the table.
#include <string>
#include <string_view>

#include "data/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  if (line == std::string_view::npos) return 0;
  const std::string_view rows = text.substr(line + 1), column = text.substr(0, line);
  const pare::data::CsvTargets targets{.columns = {std::string(column)}};
  if (const auto table = pare::data::CsvTable::Parse(rows, {}, targets)) {
    for (int64_t i = 0; i < table->size(); ++i) {
      if (const auto row = table->Targets(i); row && row->count() != 1) __builtin_trap();
    }
  }
  const auto table = pare::data::CsvTable::Parse(rows, column);
  if (!table) return 0;
  for (int64_t i = 0; i < table->size(); ++i) {
    if (const auto row = table->Row(i); row && row->count() != table->columns()) __builtin_trap();
  }
  return 0;
}
