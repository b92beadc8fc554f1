// Names of operators that come from tables whose rows are identifiers.
#pragma once

#include <cstddef>
#include <string_view>

namespace pare::ops {

// "pare_Silu" → "pare.Silu": the names of our own operators are no identifiers.
template <size_t N>
struct OpName {
  constexpr explicit OpName(const char (&text)[N]) {
    for (size_t i = 0; i < N; ++i) chars[i] = text[i] == '_' ? '.' : text[i];
  }
  constexpr std::string_view view() const { return {chars, N - 1}; }
  char chars[N] = {};
};

}  // namespace pare::ops
