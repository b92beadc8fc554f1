// Element types as numbers to compute with: the 16-bit floats by way of float. Not for the
// translation units of an ISA.
#pragma once

#include <type_traits>

#include "base/dtype.h"

namespace pare::kernels {

template <typename T>
inline constexpr bool kIsHalf = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

template <typename T>
using NumberOf = std::conditional_t<kIsHalf<T>, float, T>;

template <typename T>
NumberOf<T> ToNumber(T x) {
  if constexpr (kIsHalf<T>) {
    return ToFloat(x);
  } else {
    return x;
  }
}

template <typename T>
T FromNumber(NumberOf<T> x) {
  if constexpr (std::is_same_v<T, Half>) {
    return ToHalf(x);
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return ToBFloat16(x);
  } else {
    return x;
  }
}

}  // namespace pare::kernels
