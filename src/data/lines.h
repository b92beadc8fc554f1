// The lines of a text, without their ends (\n or \r\n).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace pare::data {

class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);  // a byte order mark
  }

  std::optional<std::string_view> Next() {
    if (rest_.empty()) return std::nullopt;
    const size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number_;
    return line;
  }
  int64_t number() const { return number_; }  // of the last line, from 1

 private:
  std::string_view rest_;
  int64_t number_ = 0;
};

}  // namespace pare::data
