// A whole text as one number.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace pare::data {

// "12", "-0.5", "+1e3"; nullopt where anything else stands there, or it is out of range.
template <typename T>
std::optional<T> Number(std::string_view text) {
  T value{};
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace pare::data
