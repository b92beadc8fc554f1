// Everything but the f32 loops: the table, the meanings, and the other types.
#include "kernels/binary/binary.h"

#include <cmath>
#include <iterator>
#include <limits>
#include <type_traits>

#include "kernels/number.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

enum class Types { kNumbers, kFloats, kIntegers, kUnsigned, kBooleans, kCompared, kEqual };

// Integers by way of uint64: the low bits are those of the wrapped result.
template <typename Number, typename F>
Number Wrapped(Number p, Number q, F f) {
  if constexpr (std::is_integral_v<Number>) {
    return static_cast<Number>(f(static_cast<uint64_t>(p), static_cast<uint64_t>(q)));
  } else {
    return f(p, q);
  }
}

// The smallest number divided by −1 has no quotient: it wraps around to itself.
template <typename Number>
bool Overflows(Number p, Number q) {
  return std::is_signed_v<Number> && p == std::numeric_limits<Number>::min() &&
         q == static_cast<Number>(-1);
}

template <typename Number>
Number Quotient(Number p, Number q) {
  if constexpr (std::is_integral_v<Number>) {
    if (q == 0) return 0;
    return Overflows(p, q) ? p : static_cast<Number>(p / q);
  } else {
    return p / q;
  }
}

// With the sign of the dividend, as C.
template <typename Number>
Number Remainder(Number p, Number q) {
  if constexpr (std::is_integral_v<Number>) {
    return q == 0 || Overflows(p, q) ? Number{0} : static_cast<Number>(p % q);
  } else {
    return std::fmod(p, q);
  }
}

// With the sign of the divisor, as Python.
template <typename Number>
Number Modulo(Number p, Number q) {
  const Number rest = Remainder(p, q);
  return rest != 0 && (rest < 0) != (q < 0) ? static_cast<Number>(rest + q) : rest;
}

// Of integers by squaring, wrapping around; a negative exponent gives 0 but for the bases ±1.
template <typename Number>
Number Power(Number base, Number exponent) {
  if constexpr (std::is_integral_v<Number>) {
    if (exponent < 0) {
      if (base == 1) return 1;
      return base == static_cast<Number>(-1) ? (exponent % 2 ? base : Number{1}) : Number{0};
    }
    uint64_t result = 1, square = static_cast<uint64_t>(base);
    for (auto rest = static_cast<uint64_t>(exponent); rest; rest >>= 1, square *= square) {
      if (rest & 1) result *= square;
    }
    return static_cast<Number>(result);
  } else {
    return std::pow(base, exponent);
  }
}

// The derivatives of x·σ(x) and of the tanh form of Gelu.
template <typename Number>
Number SiluSlope(Number x) {
  const Number s = 1 / (1 + std::exp(-x));
  return s * (1 + x * (1 - s));
}
template <typename Number>
Number GeluTanhSlope(Number x) {
  const Number scale = Number(0.7978845608028654);
  const Number t = std::tanh(scale * x * (1 + Number(0.044715) * x * x));
  const Number inner = scale * (1 + 3 * Number(0.044715) * x * x);
  return Number(0.5) * (1 + t) + Number(0.5) * x * (1 - t * t) * inner;
}

template <BinaryFunction kFunction>
constexpr Types TypesOf() {
#define PARE_BINARY(name, types, ...) \
  if constexpr (kFunction == BinaryFunction::k##name) return Types::types;
#define PARE_BINARY_SLOW(name, types, ...) PARE_BINARY(name, types)
#include "kernels/binary/functions.inc"
#undef PARE_BINARY
#undef PARE_BINARY_SLOW
}

template <BinaryFunction kFunction, typename Number>
auto Meaning(Number p, Number q) {
#define PARE_BINARY(name, types, meaning, loop) \
  if constexpr (kFunction == BinaryFunction::k##name) return meaning;
#define PARE_BINARY_SLOW(name, types, meaning) PARE_BINARY(name, types, meaning, )
#include "kernels/binary/functions.inc"
#undef PARE_BINARY
#undef PARE_BINARY_SLOW
}

template <typename T>
constexpr bool Takes(Types types) {
  switch (types) {
    case Types::kNumbers:
    case Types::kCompared:
      return !std::is_same_v<T, bool>;
    case Types::kFloats:
      return !std::is_integral_v<T>;
    case Types::kIntegers:
      return std::is_integral_v<T> && !std::is_same_v<T, bool>;
    case Types::kUnsigned:
      return std::is_unsigned_v<T> && !std::is_same_v<T, bool>;
    case Types::kBooleans:
      return std::is_same_v<T, bool>;
    case Types::kEqual:
      return true;
  }
}

template <BinaryFunction kFunction, typename T>
void Run(const BinaryArgs& args) noexcept {
  constexpr Types kTypes = TypesOf<kFunction>();
  using Out = std::conditional_t<kTypes == Types::kCompared || kTypes == Types::kEqual, bool, T>;
  const T* a = static_cast<const T*>(args.a);
  const T* b = static_cast<const T*>(args.b);
  Out* y = static_cast<Out*>(args.y);
  for (int64_t r = 0; r < args.rows; ++r, a += args.a_row, b += args.b_row) {
    for (int64_t c = 0; c < args.columns; ++c) {
      const auto result =
          Meaning<kFunction>(ToNumber(a[c * args.a_step]), ToNumber(b[c * args.b_step]));
      *y++ = FromNumber<Out>(static_cast<NumberOf<Out>>(result));
    }
  }
}

template <BinaryFunction kFunction>
BinaryRun FindFor(DType dtype) {
  BinaryRun run = nullptr;
  VisitDType(dtype, [&]<typename T>(T) {
    if constexpr (Takes<T>(TypesOf<kFunction>())) run = Run<kFunction, T>;
  });
  return run;
}

BinaryRun FindAny(BinaryFunction function, DType dtype) {
  switch (function) {
#define PARE_BINARY(name, ...)  \
  case BinaryFunction::k##name: \
    return FindFor<BinaryFunction::k##name>(dtype);
#define PARE_BINARY_SLOW(name, ...) PARE_BINARY(name)
#include "kernels/binary/functions.inc"
#undef PARE_BINARY
#undef PARE_BINARY_SLOW
    case BinaryFunction::kCount:
      break;
  }
  return nullptr;
}

}  // namespace

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(BinaryKernel, isa, symbol)
#include "kernels/binary/binary.inc"
#undef PARE_KERNEL

Rows<BinaryKernel> BinaryRows() {
  static constexpr Row<BinaryKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/binary/binary.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

BinaryChoice FindBinary(const Cpu& cpu, BinaryFunction function, DType dtype) {
  if (dtype == DType::kF32) {
    const auto* row = FindRow(BinaryRows(), cpu, function);
    if (row) return {(*row)->find(function), row->name};
  }
  return {FindAny(function, dtype), "binary_any"};
}

bool ReturnsBool(BinaryFunction function) {
  switch (function) {
#define PARE_BINARY(name, types, ...)                                           \
  case BinaryFunction::k##name:                                                 \
    return Types::types == Types::kCompared || Types::types == Types::kEqual || \
           Types::types == Types::kBooleans;
#define PARE_BINARY_SLOW(name, types, ...) PARE_BINARY(name, types)
#include "kernels/binary/functions.inc"
#undef PARE_BINARY
#undef PARE_BINARY_SLOW
    case BinaryFunction::kCount:
      break;
  }
  return false;
}

}  // namespace pare::kernels
