// Activation over F32, compiled per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/simd/math-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

using Kind = Activation::Kind;

// The operand that may be NaN comes second (see Min and Max).
PARE_INLINE F32 Clamp(F32 x, F32 lo, F32 hi) { return Min(hi, Max(lo, x)); }

template <Activation::Kind kKind>
PARE_INLINE F32 Activate(const Activation& act, F32 x) {
  if constexpr (kKind == Kind::kSigmoid) return Sigmoid(x);
  if constexpr (kKind == Kind::kTanh) return Tanh(x);
  if constexpr (kKind == Kind::kHardSwish) {
    return Mul(x, Clamp(Fma(x, Set(1.0f / 6.0f), Set(0.5f)), Zero(), Set(1.0f)));
  }
  if constexpr (kKind == Kind::kHardSigmoid) {
    return Clamp(Fma(x, Set(act.alpha), Set(act.beta)), Zero(), Set(1.0f));
  }
  if constexpr (kKind == Kind::kSilu) return Div(x, Add(Set(1.0f), Exp(Sub(Zero(), x))));
  if constexpr (kKind == Kind::kGelu) {
    const F32 half = Mul(x, Set(0.5f));
    return Fma(half, Erf(Mul(x, Set(0.70710678f))), half);
  }
  if constexpr (kKind == Kind::kGeluTanh) {
    const F32 half = Mul(x, Set(0.5f)), scaled = Mul(x, Set(0.79788456f));
    return Fma(half, Tanh(Fma(Mul(scaled, Set(0.044715f)), Mul(x, x), scaled)), half);
  }
  if constexpr (kKind == Kind::kLeakyRelu) {
    return Select(Less(x, Zero()), Mul(x, Set(act.alpha)), x);
  }
  return Clamp(x, Set(act.clamp_lo()), Set(act.clamp_hi()));
}

template <Activation::Kind kKind>
void ActivateRows(const Activation& act, float* y, int64_t stride, int64_t rows,
                  int64_t columns) noexcept {
  if (stride == columns) columns *= rows, rows = 1;  // short rows would each leave lanes empty
  const int64_t whole = columns - columns % kLanes;
  const Tail tail = FirstN(columns - whole);
  for (int64_t r = 0; r < rows; ++r, y += stride) {
    for (int64_t i = 0; i < whole; i += kLanes) Store(y + i, Activate<kKind>(act, Load(y + i)));
    if (whole < columns) Store(y + whole, Activate<kKind>(act, Load(y + whole, tail)), tail);
  }
}

// In place, over rows that are `stride` apart. A kernel calls it for the kinds that it doesn't
// apply in registers (not is_clamp()), on a tile that it has just stored.
inline void ActivateRows(const Activation& act, float* y, int64_t stride, int64_t rows,
                         int64_t columns) noexcept {
  switch (act.kind) {
#define PARE_CASE(kind) \
  case Kind::kind:      \
    return ActivateRows<Kind::kind>(act, y, stride, rows, columns);
    PARE_CASE(kSigmoid)
    PARE_CASE(kTanh)
    PARE_CASE(kHardSwish)
    PARE_CASE(kHardSigmoid)
    PARE_CASE(kSilu)
    PARE_CASE(kGelu)
    PARE_CASE(kGeluTanh)
    PARE_CASE(kLeakyRelu)
#undef PARE_CASE
    case Kind::kNone:
    case Kind::kClamp:
      return ActivateRows<Kind::kClamp>(act, y, stride, rows, columns);
  }
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
