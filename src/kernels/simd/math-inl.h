// Elementary functions over F32, compiled per ISA: include after kernels/simd/<isa>.h. Relative
// errors are a few units in the last place; NaN stays NaN, infinities give the limits.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

// Cephes expf: x = n · ln 2 + r, |r| <= ln 2 / 2, e^r a polynomial. Results below the normal range
// are 0.
PARE_INLINE F32 Exp(F32 x) {
  const F32 lowest = Set(-87.33654f);
  const F32 clamped = Min(Set(88.8f), Max(lowest, x));
  const F32 n = Round(Mul(clamped, Set(1.44269504f)));
  F32 r = Fnma(n, Set(0.693359375f), clamped);
  r = Fnma(n, Set(-2.12194440e-4f), r);
  F32 p = Fma(Set(1.9875691500e-4f), r, Set(1.3981999507e-3f));
  p = Fma(p, r, Set(8.3334519073e-3f));
  p = Fma(p, r, Set(4.1665795894e-2f));
  p = Fma(p, r, Set(1.6666665459e-1f));
  p = Fma(p, r, Set(5.0000001201e-1f));
  p = Add(Fma(p, Mul(r, r), r), Set(1.0f));
  // 2^n as 2 · 2^(n-1): n reaches 128, whose power has no bits of its own.
  const F32 power = BitsToFloat(ShiftLeft<23>(Add(ToInt(n), Set(int32_t{126}))));
  return Select(Less(x, lowest), Zero(), Mul(Mul(p, power), Set(2.0f)));
}

// Cephes logf: x = 2^n · m with m in [√½, √2], and a polynomial in m − 1. Where the exponent is
// read a hair off, m is as near beyond the interval.
PARE_INLINE F32 Log(F32 x) {
  const Mask tiny = Less(x, Set(1.17549435e-38f));  // numbers without a leading bit, and below 0
  const F32 scaled = Select(tiny, Mul(x, Set(33554432.0f)), x);
  const I32 bits = FloatToBits(scaled);
  F32 n = Round(Fma(ToFloat(bits), Set(1.0f / 8388608.0f), Set(-126.9142136f)));
  const F32 r = Sub(BitsToFloat(Sub(bits, ShiftLeft<23>(ToInt(n)))), Set(1.0f));
  n = Select(tiny, Sub(n, Set(25.0f)), n);
  F32 p = Fma(Set(7.0376836292e-2f), r, Set(-1.1514610310e-1f));
  p = Fma(p, r, Set(1.1676998740e-1f));
  p = Fma(p, r, Set(-1.2420140846e-1f));
  p = Fma(p, r, Set(1.4249322787e-1f));
  p = Fma(p, r, Set(-1.6668057665e-1f));
  p = Fma(p, r, Set(2.0000714765e-1f));
  p = Fma(p, r, Set(-2.4999993993e-1f));
  p = Fma(p, r, Set(3.3333331174e-1f));
  const F32 z = Mul(r, r);
  F32 y = Fma(n, Set(-2.12194440e-4f), Mul(Mul(p, r), z));
  y = Fma(z, Set(-0.5f), y);
  y = Fma(n, Set(0.693359375f), Add(r, y));
  const F32 infinity = Set(__builtin_inff());
  y = Select(Less(x, infinity), y, x);  // infinity and NaN
  y = Select(Less(x, Zero()), Set(__builtin_nanf("")), y);
  return Select(Less(Zero(), Abs(x)), y, Select(IsNan(x), x, Sub(Zero(), infinity)));
}

PARE_INLINE F32 Sigmoid(F32 x) { return Div(Set(1.0f), Add(Set(1.0f), Exp(Sub(Zero(), x)))); }

// Cephes tanhf.
PARE_INLINE F32 Tanh(F32 x) {
  const F32 magnitude = Abs(x), z = Mul(x, x);
  F32 p = Fma(Set(-5.70498872745e-3f), z, Set(2.06390887954e-2f));
  p = Fma(p, z, Set(-5.37397155531e-2f));
  p = Fma(p, z, Set(1.33314422036e-1f));
  p = Fma(p, z, Set(-3.33332819422e-1f));
  p = Fma(Mul(p, z), x, x);
  const F32 e = Exp(Add(magnitude, magnitude));
  const F32 large = Sub(Set(1.0f), Div(Set(2.0f), Add(e, Set(1.0f))));
  return Select(Less(magnitude, Set(0.625f)), p, CopySign(large, x));
}

// N. Juffa's erff: a polynomial in x² near 0, 1 - e^(polynomial) elsewhere.
PARE_INLINE F32 Erf(F32 x) {
  const F32 t = Abs(x), s = Mul(x, x);
  F32 r = Fma(Set(-1.72853470e-5f), t, Set(3.83197126e-4f));
  const F32 u = Fma(Set(-3.88396438e-3f), t, Set(2.42546219e-2f));
  r = Fma(r, s, u);
  r = Fma(r, t, Set(-1.06777877e-1f));
  r = Fma(r, t, Set(-6.34846687e-1f));
  r = Fma(r, t, Set(-1.28717512e-1f));
  r = Fma(r, t, Sub(Zero(), t));
  const F32 large = CopySign(Sub(Set(1.0f), Exp(r)), x);
  F32 p = Fma(Set(-5.96761703e-4f), s, Set(4.99119423e-3f));
  p = Fma(p, s, Set(-2.67681349e-2f));
  p = Fma(p, s, Set(1.12819925e-1f));
  p = Fma(p, s, Set(-3.76125336e-1f));
  p = Fma(p, s, Set(1.28379166e-1f));
  return Select(Less(Set(0.921875f), t), large, Fma(p, x, x));
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
