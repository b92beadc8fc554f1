// Everything but the f32 loops: the table, the meanings, and the other types.
#include "kernels/unary/unary.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <type_traits>

#include "kernels/number.h"
#include "kernels/table.h"

namespace pare::kernels {

extern const UnaryKernel unary_f32_scalar;

namespace {

// NaN in x stays NaN.
double Larger(double x, double limit) { return x < limit ? limit : x; }
double Smaller(double x, double limit) { return limit < x ? limit : x; }

template <UnaryFunction kFunction>
double Meaning(double x, [[maybe_unused]] double a, [[maybe_unused]] double b) {
#define PARE_UNARY(name, meaning, loop) \
  if constexpr (kFunction == UnaryFunction::k##name) return meaning;
#define PARE_UNARY_SLOW(name, meaning) PARE_UNARY(name, meaning, )
#include "kernels/unary/functions.inc"
#undef PARE_UNARY
#undef PARE_UNARY_SLOW
}

template <UnaryFunction kFunction, typename T>
void RunMeaning(const UnaryArgs& args) noexcept {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  for (int64_t i = 0; i < args.count; ++i) {
    y[i] = FromNumber<T>(static_cast<NumberOf<T>>(
        Meaning<kFunction>(static_cast<double>(ToNumber(x[i])), args.a, args.b)));
  }
}

// 16-bit floats by way of the f32 loop, a block at a time.
template <UnaryFunction kFunction, typename T>
void RunBlocks(const UnaryArgs& args) noexcept {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  static const UnaryRun run = unary_f32_scalar.find(kFunction);
  float block[256];
  for (int64_t i = 0; i < args.count; i += std::ssize(block)) {
    const int64_t count = std::min(args.count - i, int64_t{std::ssize(block)});
    for (int64_t j = 0; j < count; ++j) block[j] = ToFloat(x[i + j]);
    run({block, block, count, args.a, args.b});
    for (int64_t j = 0; j < count; ++j) y[i + j] = FromNumber<T>(block[j]);
  }
}

// Integers wrap around: unsigned arithmetic, converted back.
template <UnaryFunction kFunction, typename T>
void RunIntegers(const UnaryArgs& args) noexcept {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  for (int64_t i = 0; i < args.count; ++i) {
    const T v = x[i];
    const T negated = static_cast<T>(uint64_t{0} - static_cast<uint64_t>(v));
    if constexpr (kFunction == UnaryFunction::kNeg) y[i] = negated;
    if constexpr (kFunction == UnaryFunction::kAbs) y[i] = v < T{0} ? negated : v;
    if constexpr (kFunction == UnaryFunction::kRelu) y[i] = v < T{0} ? T{0} : v;
    if constexpr (kFunction == UnaryFunction::kSign) {
      y[i] = static_cast<T>(v < T{0} ? -1 : v > T{0} ? 1 : 0);
    }
  }
}

template <UnaryFunction kFunction>
UnaryRun FindFor(DType dtype) {
  constexpr bool kOfIntegers =
      kFunction == UnaryFunction::kNeg || kFunction == UnaryFunction::kAbs ||
      kFunction == UnaryFunction::kRelu || kFunction == UnaryFunction::kSign;
  UnaryRun run = nullptr;
  VisitDType(dtype, [&]<typename T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      run = RunMeaning<kFunction, T>;
    } else if constexpr (!std::is_integral_v<T>) {
      const bool fast = unary_f32_scalar.find(kFunction) != nullptr;
      run = fast ? RunBlocks<kFunction, T> : RunMeaning<kFunction, T>;
    } else if constexpr (kOfIntegers && !std::is_same_v<T, bool>) {
      run = RunIntegers<kFunction, T>;
    }
  });
  return run;
}

UnaryRun FindAny(UnaryFunction function, DType dtype) {
  switch (function) {
#define PARE_UNARY(name, ...)  \
  case UnaryFunction::k##name: \
    return FindFor<UnaryFunction::k##name>(dtype);
#define PARE_UNARY_SLOW(name, ...) PARE_UNARY(name)
#include "kernels/unary/functions.inc"
#undef PARE_UNARY
#undef PARE_UNARY_SLOW
    case UnaryFunction::kCount:
      break;
  }
  return nullptr;
}

template <typename T>
void Clip(const ClipArgs& args) noexcept {
  using Number = NumberOf<T>;
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  const Number lo = args.lo ? ToNumber(*static_cast<const T*>(args.lo)) : Number{};
  const Number hi = args.hi ? ToNumber(*static_cast<const T*>(args.hi)) : Number{};
  for (int64_t i = 0; i < args.count; ++i) {
    Number v = ToNumber(x[i]);
    if (args.lo && v < lo) v = lo;
    if (args.hi && hi < v) v = hi;
    y[i] = FromNumber<T>(v);
  }
}

}  // namespace

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(UnaryKernel, isa, symbol)
#include "kernels/unary/unary.inc"
#undef PARE_KERNEL

Rows<UnaryKernel> UnaryRows() {
  static constexpr Row<UnaryKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/unary/unary.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

UnaryChoice FindUnary(const Cpu& cpu, UnaryFunction function, DType dtype) {
  if (dtype == DType::kF32) {
    const auto* row = FindRow(UnaryRows(), cpu, function);
    if (row) return {(*row)->find(function), row->name};
  }
  return {FindAny(function, dtype), "unary_any"};
}

double UnaryMeaning(UnaryFunction function, double x, double a, double b) noexcept {
  switch (function) {
#define PARE_UNARY(name, ...)  \
  case UnaryFunction::k##name: \
    return Meaning<UnaryFunction::k##name>(x, a, b);
#define PARE_UNARY_SLOW(name, ...) PARE_UNARY(name)
#include "kernels/unary/functions.inc"
#undef PARE_UNARY
#undef PARE_UNARY_SLOW
    case UnaryFunction::kCount:
      break;
  }
  return x;
}

ClipRun FindClip(DType dtype) {
  ClipRun run = nullptr;
  VisitDType(dtype, [&]<typename T>(T) {
    if constexpr (!std::is_same_v<T, bool>) run = Clip<T>;
  });
  return run;
}

}  // namespace pare::kernels
