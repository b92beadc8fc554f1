// The rule by which an int32 sum becomes u8, one value at a time: the specification of every int8
// kernel.
#pragma once

#include <cstdint>

namespace pare::kernels {

// clamp(rne(x) + zero_point, lo, hi), computed so that no x overflows. 0 <= lo <= hi <= 255.
inline uint8_t QuantizeOne(float x, int32_t zero_point, int32_t lo, int32_t hi) {
  const float y = __builtin_rintf(x) + static_cast<float>(zero_point);
  const float low = static_cast<float>(lo), high = static_cast<float>(hi);
  return static_cast<uint8_t>(y > low ? (y < high ? y : high) : low);
}

}  // namespace pare::kernels
