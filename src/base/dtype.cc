#include "base/dtype.h"

namespace pare {

float ToFloat(Half h) {
  const uint32_t sign = uint32_t{h.bits} >> 15 << 31;
  const uint32_t exponent = h.bits >> 10 & 31;
  const uint32_t mantissa = h.bits & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) {  // zero or subnormal: mantissa · 2⁻²⁴ is exact
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

Half ToHalf(float f) {
  const uint32_t bits = std::bit_cast<uint32_t>(f);
  const uint16_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {static_cast<uint16_t>(sign | 0x7e00)};   // NaN
  if (magnitude >= 0x477ff000) return {static_cast<uint16_t>(sign | 0x7c00)};  // rounds to infinity
  if (magnitude < 0x38800000) {  // subnormal: the addition rounds at 2⁻²⁴, to nearest even
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return {static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000))};
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return {static_cast<uint16_t>(sign | (rounded - 0x38000000) >> 13)};
}

BFloat16 ToBFloat16(float f) {
  const uint32_t bits = std::bit_cast<uint32_t>(f);
  if ((bits & 0x7fffffff) > 0x7f800000) return {static_cast<uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

std::string_view DTypeName(DType dtype) {
  switch (dtype) {
    case DType::kNone:
      break;
#define PARE_DTYPE(id, name, bits, onnx, type) \
  case DType::id:                              \
    return #name;
#include "base/dtype.inc"
#undef PARE_DTYPE
  }
  return "?";
}

DType DTypeFromName(std::string_view name) {
#define PARE_DTYPE(id, text, bits, onnx, type) \
  if (name == #text) return DType::id;
#include "base/dtype.inc"
#undef PARE_DTYPE
  return DType::kNone;
}

int DTypeToOnnx(DType dtype) {
  switch (dtype) {
    case DType::kNone:
      break;
#define PARE_DTYPE(id, name, bits, onnx, type) \
  case DType::id:                              \
    return onnx;
#include "base/dtype.inc"
#undef PARE_DTYPE
  }
  return 0;
}

DType DTypeFromOnnx(int number) {
#define PARE_DTYPE(id, name, bits, onnx, type) \
  if (number == onnx) return DType::id;
#include "base/dtype.inc"
#undef PARE_DTYPE
  return DType::kNone;
}

size_t SizeOf(DType dtype) {
  switch (dtype) {
    case DType::kNone:
      break;
#define PARE_DTYPE(id, name, bits, onnx, type) \
  case DType::id:                              \
    return bits / 8;
#include "base/dtype.inc"
#undef PARE_DTYPE
  }
  return 0;
}

bool IsNarrow(DType dtype) { return InMemory(dtype) != dtype; }

DType InMemory(DType dtype) {
  switch (dtype) {
#define PARE_DTYPE(id, name, bits, onnx, type)
#define PARE_NARROW_DTYPE(id, name, bits, onnx, type) \
  case DType::id:                                     \
    return DTypeOf<type>;
#include "base/dtype.inc"
#undef PARE_DTYPE
    default:
      return dtype;
  }
}

}  // namespace pare
