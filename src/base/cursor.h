// A bounded reader over bytes from outside: it can't leave them. Numbers may lie unaligned.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace pare {

inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  // All of these give nothing, and move nowhere, where the bytes end before.
  bool Skip(uint64_t count) {
    if (count > remaining()) return false;
    position_ += count;
    return true;
  }
  std::optional<std::span<const std::byte>> Take(uint64_t count) {
    if (count > remaining()) return std::nullopt;
    position_ += count;
    return bytes_.subspan(position_ - count, count);
  }
  template <std::integral T>
  std::optional<T> Little() {
    return Number<T, std::endian::little>();
  }
  template <std::integral T>
  std::optional<T> Big() {
    return Number<T, std::endian::big>();
  }

 private:
  template <std::integral T, std::endian order>
  std::optional<T> Number() {
    const auto raw = Take(sizeof(T));
    if (!raw) return std::nullopt;
    std::make_unsigned_t<T> value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
      const size_t at = order == std::endian::little ? i : sizeof(T) - 1 - i;
      value |= static_cast<decltype(value)>(std::to_integer<std::make_unsigned_t<T>>((*raw)[at])
                                            << (8 * i));
    }
    return static_cast<T>(value);
  }

  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

}  // namespace pare
