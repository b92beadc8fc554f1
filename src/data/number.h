// A whole text as one number.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace pare::data {

// "12", "-0.5", "+1e3"; nullopt where anything else stands there, or it is out of range. A fraction
// too small for its type is 0.
template <typename T>
std::optional<T> Number(std::string_view text) {
  T value{};
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if constexpr (std::is_floating_point_v<T>) {
    const bool whole = end == text.data() + text.size();
    if (whole && error == std::errc::result_out_of_range) {
      value = static_cast<T>(std::strtod(std::string(text).c_str(), nullptr));
      return std::abs(value) < 1 ? std::optional(value) : std::nullopt;
    }
  }
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace pare::data
