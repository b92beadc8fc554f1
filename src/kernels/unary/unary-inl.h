// The loops of functions.inc, compiled per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/simd/activation-inl.h"
#include "kernels/unary/unary.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

PARE_INLINE F32 FloorOf(F32 x) {
  const F32 r = Round(x);
  return Select(Less(x, r), Sub(r, Set(1.0f)), r);
}
PARE_INLINE F32 CeilOf(F32 x) {
  const F32 r = Round(x);
  return Select(Less(r, x), Add(r, Set(1.0f)), r);
}

// e^x − 1: near 0 the polynomial of Exp without its 1.
PARE_INLINE F32 Expm1(F32 x) {
  F32 p = Fma(Set(1.9875691500e-4f), x, Set(1.3981999507e-3f));
  p = Fma(p, x, Set(8.3334519073e-3f));
  p = Fma(p, x, Set(4.1665795894e-2f));
  p = Fma(p, x, Set(1.6666665459e-1f));
  p = Fma(p, x, Set(5.0000001201e-1f));
  p = Fma(p, Mul(x, x), x);
  return Select(Less(Abs(x), Set(0.34657359f)), p, Sub(Exp(x), Set(1.0f)));
}

// log(1 + u) for u in [0, 1]: the second factor makes up for the rounding of 1 + u.
PARE_INLINE F32 Log1p(F32 u) {
  const F32 w = Add(Set(1.0f), u), d = Sub(w, Set(1.0f));
  return Select(Less(Zero(), d), Mul(Log(w), Div(u, d)), u);
}

PARE_INLINE F32 Softplus(F32 x) { return Add(Max(Zero(), x), Log1p(Exp(Sub(Zero(), Abs(x))))); }

// tanh(log(1 + e)) = (e² + 2e) / (e² + 2e + 2); from 20 on it is 1.
PARE_INLINE F32 Mish(F32 x) {
  const F32 e = Exp(Min(Set(20.0f), x)), n = Mul(e, Add(e, Set(2.0f)));
  return Mul(x, Div(n, Add(n, Set(2.0f))));
}

template <UnaryFunction kFunction>
PARE_INLINE F32 Unary(F32 x, [[maybe_unused]] F32 a, [[maybe_unused]] F32 b) {
#define PARE_UNARY(name, meaning, loop) \
  if constexpr (kFunction == UnaryFunction::k##name) return loop;
#define PARE_UNARY_SLOW(name, meaning)
#include "kernels/unary/functions.inc"
#undef PARE_UNARY
#undef PARE_UNARY_SLOW
}

template <UnaryFunction kFunction>
void RunUnary(const UnaryArgs& args) noexcept {
  const float* x = static_cast<const float*>(args.x);
  float* y = static_cast<float*>(args.y);
  const F32 a = Set(args.a), b = Set(args.b);
  const int64_t whole = args.count - args.count % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) Store(y + i, Unary<kFunction>(Load(x + i), a, b));
  if (whole < args.count) {
    const Tail tail = FirstN(args.count - whole);
    Store(y + whole, Unary<kFunction>(Load(x + whole, tail), a, b), tail);
  }
}

inline UnaryRun FindUnaryRun(UnaryFunction function) {
  switch (function) {
#define PARE_UNARY(name, ...)  \
  case UnaryFunction::k##name: \
    return RunUnary<UnaryFunction::k##name>;
#define PARE_UNARY_SLOW(name, ...)
#include "kernels/unary/functions.inc"
#undef PARE_UNARY
#undef PARE_UNARY_SLOW
    default:
      return nullptr;
  }
}

inline bool SupportsUnary(const UnaryFunction& function) {
  return FindUnaryRun(function) != nullptr;
}

inline constexpr UnaryKernel kUnaryKernel{
    .supports = SupportsUnary, .cost = nullptr, .find = FindUnaryRun};

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
