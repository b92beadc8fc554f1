// The loops of functions.inc, compiled per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/binary/binary.h"
#include "kernels/simd/activation-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

// d/dx x·σ(x) = σ·(1 + x·(1 − σ))
PARE_INLINE F32 SiluSlope(F32 x) {
  const F32 s = Sigmoid(x);
  return Mul(s, Fma(x, Sub(Set(1.0f), s), Set(1.0f)));
}
// u = √(2/π)·(x + 0.044715·x³): ½(1 + tanh u) + ½x·(1 − tanh² u)·u′
PARE_INLINE F32 GeluTanhSlope(F32 x) {
  const F32 square = Mul(x, x), scale = Set(0.79788456f);
  const F32 t = Tanh(Mul(Mul(x, scale), Fma(square, Set(0.044715f), Set(1.0f))));
  const F32 inner = Mul(scale, Fma(square, Set(0.134145f), Set(1.0f)));
  const F32 half = Mul(x, Set(0.5f));
  return Fma(Mul(half, inner), Sub(Set(1.0f), Mul(t, t)), Fma(t, Set(0.5f), Set(0.5f)));
}

template <BinaryFunction kFunction>
PARE_INLINE F32 Binary(F32 p, F32 q) {
#define PARE_BINARY(name, types, meaning, loop) \
  if constexpr (kFunction == BinaryFunction::k##name) return loop;
#define PARE_BINARY_SLOW(name, types, meaning)
#include "kernels/binary/functions.inc"
#undef PARE_BINARY
#undef PARE_BINARY_SLOW
}

template <int kStep>
struct Operand {
  const float* p;
  F32 first;  // the one element of the row

  explicit PARE_INLINE Operand(const float* row) : p(row), first(kStep ? Zero() : Set(*row)) {}
  PARE_INLINE F32 At(int64_t i) const { return kStep ? Load(p + i) : first; }
  PARE_INLINE F32 At(int64_t i, Tail tail) const { return kStep ? Load(p + i, tail) : first; }
};

template <BinaryFunction kFunction, int kStepA, int kStepB>
void RunSteps(const BinaryArgs& args) noexcept {
  const float* a_row = static_cast<const float*>(args.a);
  const float* b_row = static_cast<const float*>(args.b);
  float* y = static_cast<float*>(args.y);
  const F32 lo = Set(args.activation.clamp_lo()), hi = Set(args.activation.clamp_hi());
  const int64_t whole = args.columns - args.columns % kLanes;
  const Tail tail = FirstN(args.columns - whole);
  for (int64_t r = 0; r < args.rows; ++r) {
    const Operand<kStepA> a(a_row);
    const Operand<kStepB> b(b_row);
    for (int64_t i = 0; i < whole; i += kLanes) {
      Store(y + i, Clamp(Binary<kFunction>(a.At(i), b.At(i)), lo, hi));
    }
    if (whole < args.columns) {
      const F32 result = Binary<kFunction>(a.At(whole, tail), b.At(whole, tail));
      Store(y + whole, Clamp(result, lo, hi), tail);
    }
    a_row += args.a_row;
    b_row += args.b_row;
    y += args.columns;
  }
  if (!args.activation.is_clamp()) {
    const int64_t count = args.rows * args.columns;
    ActivateRows(args.activation, static_cast<float*>(args.y), count, 1, count);
  }
}

template <BinaryFunction kFunction>
void RunBinary(const BinaryArgs& args) noexcept {
  if (args.columns == 0 || args.rows == 0) return;
  if (args.a_step) {
    (args.b_step ? RunSteps<kFunction, 1, 1> : RunSteps<kFunction, 1, 0>)(args);
  } else {
    (args.b_step ? RunSteps<kFunction, 0, 1> : RunSteps<kFunction, 0, 0>)(args);
  }
}

inline BinaryRun FindBinaryRun(BinaryFunction function) {
  switch (function) {
#define PARE_BINARY(name, ...)  \
  case BinaryFunction::k##name: \
    return RunBinary<BinaryFunction::k##name>;
#define PARE_BINARY_SLOW(name, ...)
#include "kernels/binary/functions.inc"
#undef PARE_BINARY
#undef PARE_BINARY_SLOW
    default:
      return nullptr;
  }
}

inline bool SupportsBinary(const BinaryFunction& function) {
  return FindBinaryRun(function) != nullptr;
}

inline constexpr BinaryKernel kBinaryKernel{
    .supports = SupportsBinary, .cost = nullptr, .find = FindBinaryRun};

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
