// The first line is the label column, the rest is the table.
#include <string_view>

#include "data/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  if (line == std::string_view::npos) return 0;
  const auto table = pare::data::CsvTable::Parse(text.substr(line + 1), text.substr(0, line));
  if (!table) return 0;
  for (int64_t i = 0; i < table->size(); ++i) {
    if (const auto row = table->Row(i); row && row->count() != table->columns()) __builtin_trap();
  }
  return 0;
}
