// The element types of tensors, and the conversions of the 16-bit floats.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pare {

// IEEE binary16, as bits. Conversion rounds to nearest even; overflow gives infinity, NaN stays
// NaN.
struct Half {
  uint16_t bits = 0;
};
struct BFloat16 {
  uint16_t bits = 0;
};
float ToFloat(Half h);
Half ToHalf(float f);
inline float ToFloat(BFloat16 b) { return std::bit_cast<float>(uint32_t{b.bits} << 16); }
BFloat16 ToBFloat16(float f);

enum class DType : uint8_t {
  kNone,  // not known
#define PARE_DTYPE(id, name, bits, onnx, type) id,
#include "base/dtype.inc"
#undef PARE_DTYPE
};

std::string_view DTypeName(DType dtype);     // "f32"; "?" for kNone
DType DTypeFromName(std::string_view name);  // kNone where there is no such name
int DTypeToOnnx(DType dtype);                // 0 for kNone
DType DTypeFromOnnx(int onnx);               // kNone where pare has no such type
size_t SizeOf(DType dtype);                  // bytes of one element; 0 for kNone
inline bool IsFloat(DType t) {
  return t == DType::kF32 || t == DType::kF16 || t == DType::kF64 || t == DType::kBF16;
}

// Whether files pack elements of the type (4 bits), which are a byte each in memory.
bool IsNarrow(DType dtype);
// The type that a narrow one has in memory, with its range; others are their own.
DType InMemory(DType dtype);

template <typename T>
struct DTypeOfT;
#define PARE_NARROW_DTYPE(id, name, bits, onnx, type)
#define PARE_DTYPE(id, name, bits, onnx, type) \
  template <>                                  \
  struct DTypeOfT<type> {                      \
    static constexpr DType value = DType::id;  \
  };
#include "base/dtype.inc"
#undef PARE_DTYPE
template <typename T>
inline constexpr DType DTypeOf = DTypeOfT<std::remove_cv_t<T>>::value;

// Calls f(T{}) with the C++ type of `dtype` in memory; f is not called for kNone.
template <typename F>
void VisitDType(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kNone:
      break;
#define PARE_DTYPE(id, name, bits, onnx, type) \
  case DType::id:                              \
    f(type{});                                 \
    break;
#include "base/dtype.inc"
#undef PARE_DTYPE
  }
}

}  // namespace pare
