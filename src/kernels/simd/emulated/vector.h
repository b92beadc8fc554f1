// The wrappers of simd/<isa>.h as plain loops: the contract in code, and the means to run every row
// on every machine. PARE_SIMD_NAMESPACE names the ISA that is played, PARE_SIMD_BYTES its vector.
// Included once in a translation unit, by simd/<isa>.h.
//
// F32 and I32 have kLanes lanes. Tail is a count of leading lanes, Mask a condition per lane.
// Partial loads give zero in the other lanes and touch no memory of theirs; partial stores leave
// the rest of memory alone.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

inline constexpr int kLanes = PARE_SIMD_BYTES / 4;

struct F32 {
  float v[kLanes];
};
struct I32 {
  int32_t v[kLanes];
};
struct Mask {
  bool v[kLanes];
};
struct Tail {
  int n;
};

#define PARE_EACH_LANE for (int i = 0; i < kLanes; ++i)
#define PARE_LANEWISE(type, name, parameters, expression) \
  PARE_INLINE type name parameters {                      \
    type r;                                               \
    PARE_EACH_LANE r.v[i] = (expression);                 \
    return r;                                             \
  }

PARE_INLINE Tail FirstN(int64_t n) { return {static_cast<int>(n < kLanes ? n : kLanes)}; }

PARE_LANEWISE(F32, Set, (float x), x)
PARE_LANEWISE(F32, Load, (const float* p), p[i])
PARE_LANEWISE(F32, Load, (const float* p, Tail t), i < t.n ? p[i] : 0.0f)
PARE_INLINE F32 Zero() { return Set(0.0f); }
PARE_INLINE void Store(float* p, F32 x) { PARE_EACH_LANE p[i] = x.v[i]; }
PARE_INLINE void Store(float* p, F32 x, Tail t) {
  for (int i = 0; i < t.n; ++i) p[i] = x.v[i];
}

PARE_LANEWISE(F32, Add, (F32 a, F32 b), a.v[i] + b.v[i])
PARE_LANEWISE(F32, Sub, (F32 a, F32 b), a.v[i] - b.v[i])
PARE_LANEWISE(F32, Mul, (F32 a, F32 b), a.v[i] * b.v[i])
PARE_LANEWISE(F32, Div, (F32 a, F32 b), a.v[i] / b.v[i])
// a · b + c and c − a · b, rounded once.
PARE_LANEWISE(F32, Fma, (F32 a, F32 b, F32 c), __builtin_fmaf(a.v[i], b.v[i], c.v[i]))
PARE_LANEWISE(F32, Fnma, (F32 a, F32 b, F32 c), __builtin_fmaf(-a.v[i], b.v[i], c.v[i]))
// Where either is NaN the result is b.
PARE_LANEWISE(F32, Min, (F32 a, F32 b), a.v[i] < b.v[i] ? a.v[i] : b.v[i])
PARE_LANEWISE(F32, Max, (F32 a, F32 b), a.v[i] > b.v[i] ? a.v[i] : b.v[i])
PARE_LANEWISE(F32, Abs, (F32 a), __builtin_fabsf(a.v[i]))
PARE_LANEWISE(F32, Sqrt, (F32 a), __builtin_sqrtf(a.v[i]))
// To the nearest integer, ties to even.
PARE_LANEWISE(F32, Round, (F32 a), __builtin_rintf(a.v[i]))
// a with the sign of b.
PARE_LANEWISE(F32, CopySign, (F32 a, F32 b), __builtin_copysignf(a.v[i], b.v[i]))
PARE_LANEWISE(Mask, Less, (F32 a, F32 b), a.v[i] < b.v[i])
PARE_LANEWISE(Mask, IsNan, (F32 a), a.v[i] != a.v[i])
// m ? a : b
PARE_LANEWISE(F32, Select, (Mask m, F32 a, F32 b), m.v[i] ? a.v[i] : b.v[i])
// The sum in the order of halving: lane i with lane i + kLanes / 2, and so on.
PARE_INLINE float ReduceAdd(F32 a) {
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) a.v[i] += a.v[i + half];
  }
  return a.v[0];
}
PARE_INLINE float ReduceMax(F32 a) {
  float r = a.v[0];
  PARE_EACH_LANE r = r > a.v[i] ? r : a.v[i];
  return r;
}

// Rounded to nearest, ties to even; what is too small is INT32_MIN, NaN and what is too great is
// any value.
PARE_INLINE int32_t RoundLane(float x) {
  const float r = __builtin_rintf(x);
  return r >= -2147483648.0f && r < 2147483648.0f ? static_cast<int32_t>(r) : INT32_MIN;
}
PARE_LANEWISE(I32, ToInt, (F32 a), RoundLane(a.v[i]))
PARE_LANEWISE(F32, ToFloat, (I32 a), static_cast<float>(a.v[i]))
PARE_LANEWISE(F32, BitsToFloat, (I32 a), __builtin_bit_cast(float, a.v[i]))
PARE_LANEWISE(I32, FloatToBits, (F32 a), __builtin_bit_cast(int32_t, a.v[i]))

PARE_LANEWISE(I32, Set, (int32_t x), x)
PARE_LANEWISE(I32, Load, (const int32_t* p), p[i])
PARE_LANEWISE(I32, Load, (const int32_t* p, Tail t), i < t.n ? p[i] : 0)
PARE_INLINE I32 ZeroI32() { return Set(int32_t{0}); }
PARE_INLINE void Store(int32_t* p, I32 x) { PARE_EACH_LANE p[i] = x.v[i]; }
PARE_INLINE void Store(int32_t* p, I32 x, Tail t) {
  for (int i = 0; i < t.n; ++i) p[i] = x.v[i];
}
// Integers wrap around.
PARE_INLINE int32_t Wrap(int64_t x) { return static_cast<int32_t>(static_cast<uint32_t>(x)); }
PARE_LANEWISE(I32, Add, (I32 a, I32 b), Wrap(int64_t{a.v[i]} + b.v[i]))
PARE_LANEWISE(I32, Sub, (I32 a, I32 b), Wrap(int64_t{a.v[i]} - b.v[i]))
PARE_LANEWISE(I32, Mul, (I32 a, I32 b), Wrap(int64_t{a.v[i]} * b.v[i]))
PARE_LANEWISE(I32, Min, (I32 a, I32 b), a.v[i] < b.v[i] ? a.v[i] : b.v[i])
PARE_LANEWISE(I32, Max, (I32 a, I32 b), a.v[i] > b.v[i] ? a.v[i] : b.v[i])
template <int kBits>
PARE_LANEWISE(I32, ShiftLeft, (I32 a), static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) << kBits))

// kLanes bytes, each widened to a lane; and each lane saturated to a byte.
PARE_LANEWISE(I32, LoadU8, (const uint8_t* p), p[i])
    PARE_LANEWISE(I32, LoadU8, (const uint8_t* p, Tail t), i < t.n ? p[i] : 0)
        PARE_LANEWISE(I32, LoadS8, (const int8_t* p), p[i])
            PARE_LANEWISE(I32, LoadS8, (const int8_t* p, Tail t),
                          i < t.n ? p[i] : 0) PARE_INLINE uint8_t SaturateU8(int32_t x) {
  return static_cast<uint8_t>(x < 0 ? 0 : x > 255 ? 255 : x);
}
PARE_INLINE void StoreU8(uint8_t* p, I32 x) { PARE_EACH_LANE p[i] = SaturateU8(x.v[i]); }
PARE_INLINE void StoreU8(uint8_t* p, I32 x, Tail t) {
  for (int i = 0; i < t.n; ++i) p[i] = SaturateU8(x.v[i]);
}

// The bytes and 16-bit halves of a lane: an I32 as it lies in memory (little endian).
PARE_INLINE uint8_t ByteU(int32_t x, int j) {
  return static_cast<uint8_t>(static_cast<uint32_t>(x) >> 8 * j);
}
PARE_INLINE int8_t ByteS(int32_t x, int j) { return static_cast<int8_t>(ByteU(x, j)); }
PARE_INLINE int16_t HalfS(int32_t x, int j) {
  return static_cast<int16_t>(static_cast<uint32_t>(x) >> 16 * j);
}
// 4 bytes (any alignment) in every lane.
PARE_INLINE I32 Broadcast4(const void* p) {
  int32_t x;
  __builtin_memcpy(&x, p, sizeof x);
  return Set(x);
}
PARE_INLINE I32 LoadBytes(const void* p) {
  I32 r;
  __builtin_memcpy(r.v, p, sizeof r.v);
  return r;
}
PARE_INLINE void StoreBytes(void* p, I32 x) { __builtin_memcpy(p, x.v, sizeof x.v); }

PARE_LANEWISE(I32, And, (I32 a, I32 b), a.v[i] & b.v[i])
PARE_LANEWISE(I32, Xor, (I32 a, I32 b), a.v[i] ^ b.v[i])
template <int kBits>
PARE_LANEWISE(I32, ShiftRightLogical, (I32 a),
              static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) >> kBits))
// Bytes kA, kB, kC, kD of each lane, in this order.
PARE_INLINE int32_t FromBytes(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  return static_cast<int32_t>(uint32_t{a} | uint32_t{b} << 8 | uint32_t{c} << 16 |
                              uint32_t{d} << 24);
}
template <int kA, int kB, int kC, int kD>
PARE_LANEWISE(I32, PermuteBytes, (I32 a),
              FromBytes(ByteU(a.v[i], kA), ByteU(a.v[i], kB), ByteU(a.v[i], kC), ByteU(a.v[i], kD)))
// The greater of each of 4 · kLanes bytes.
PARE_INLINE int32_t MaxBytes(int32_t a, int32_t b) {
  uint8_t r[4];
  for (int j = 0; j < 4; ++j) r[j] = ByteU(a, j) > ByteU(b, j) ? ByteU(a, j) : ByteU(b, j);
  return FromBytes(r[0], r[1], r[2], r[3]);
}
PARE_LANEWISE(I32, MaxU8, (I32 a, I32 b), MaxBytes(a.v[i], b.v[i]))
// 2 · kLanes bytes, each widened to a 16-bit half.
PARE_INLINE I32 WidenU8(const void* p) {
  const auto* bytes = static_cast<const uint8_t*>(p);
  I32 r;
  PARE_EACH_LANE r.v[i] = FromBytes(bytes[2 * i], 0, bytes[2 * i + 1], 0);
  return r;
}

// The same for the first n <= 4 · kLanes bytes; the others load as zero, and stores leave them
// alone.
PARE_INLINE I32 LoadBytes(const void* p, int64_t n) {
  I32 r = {};
  __builtin_memcpy(r.v, p, static_cast<size_t>(n));
  return r;
}
PARE_INLINE void StoreBytes(void* p, I32 x, int64_t n) {
  __builtin_memcpy(p, x.v, static_cast<size_t>(n));
}

// Interleaves the first (low) or last (high) units of every 16 bytes of a and b: a0 b0 a1 b1 …
template <typename Unit, int kFirst>
PARE_INLINE I32 Zip(I32 a, I32 b) {
  constexpr int kUnits = 16 / sizeof(Unit);
  Unit x[kUnits * kLanes / 4], y[kUnits * kLanes / 4], r[kUnits * kLanes / 4];
  __builtin_memcpy(x, a.v, sizeof x);
  __builtin_memcpy(y, b.v, sizeof y);
  for (int i = 0; i < kUnits * kLanes / 4; ++i) {
    const int from = i / kUnits * kUnits + kFirst * kUnits / 2 + i % kUnits / 2;
    r[i] = i % 2 == 0 ? x[from] : y[from];
  }
  return LoadBytes(r);
}
PARE_INLINE I32 ZipLowBytes(I32 a, I32 b) { return Zip<uint8_t, 0>(a, b); }
PARE_INLINE I32 ZipHighBytes(I32 a, I32 b) { return Zip<uint8_t, 1>(a, b); }
PARE_INLINE I32 ZipLowHalves(I32 a, I32 b) { return Zip<uint16_t, 0>(a, b); }
PARE_INLINE I32 ZipHighHalves(I32 a, I32 b) { return Zip<uint16_t, 1>(a, b); }
// The inverse of zipping bytes, then halves: 16 bytes of the result are the lanes of a, b, c, d in
// this order, four of each, saturated to s16, added to the halves of `offset` with saturation,
// saturated to u8.
PARE_INLINE int32_t SaturateS16(int32_t x) { return x < -32768 ? -32768 : x > 32767 ? 32767 : x; }
PARE_INLINE I32 NarrowU8(I32 a, I32 b, I32 c, I32 d, I32 offset) {
  const I32 from[4] = {a, b, c, d};
  uint8_t r[4 * kLanes];
  for (int i = 0; i < 4 * kLanes; ++i) {
    const int32_t x = SaturateS16(from[i / 4 % 4].v[i / 16 * 4 + i % 4]);
    r[i] = SaturateU8(SaturateS16(x + HalfS(offset.v[0], 0)));
  }
  return LoadBytes(r);
}

// Units of 8 bytes: the even ones to the low half of the vector, the odd ones to the high half; and
// back.
PARE_INLINE I32 SplitUnits(I32 x) {
  I32 r;
  for (int i = 0; i < kLanes; ++i) r.v[i % 4 / 2 * kLanes / 2 + i / 4 * 2 + i % 2] = x.v[i];
  return r;
}
PARE_INLINE I32 MergeUnits(I32 x) {
  I32 r;
  for (int i = 0; i < kLanes; ++i) r.v[i] = x.v[i % 4 / 2 * kLanes / 2 + i / 4 * 2 + i % 2];
  return r;
}
// Half a vector, 2 · kLanes bytes, or the first n of them.
PARE_INLINE I32 LoadHalves(const void* low, const void* high) {
  I32 r;
  __builtin_memcpy(r.v, low, 2 * kLanes);
  __builtin_memcpy(r.v + kLanes / 2, high, 2 * kLanes);
  return r;
}
template <int kHigh>
PARE_INLINE void StoreHalf(void* p, I32 x, int64_t n = 2 * kLanes) {
  __builtin_memcpy(p, x.v + kHigh * kLanes / 2, static_cast<size_t>(n));
}

// acc + Σ over the 2 signed halves of a lane.
PARE_INLINE int32_t DotHalves(int32_t acc, int32_t a, int32_t b) {
  const int64_t lo = int64_t{HalfS(a, 0)} * HalfS(b, 0), hi = int64_t{HalfS(a, 1)} * HalfS(b, 1);
  return Wrap(acc + lo + hi);
}
PARE_LANEWISE(I32, DotS16, (I32 acc, I32 a, I32 b), DotHalves(acc.v[i], a.v[i], b.v[i]))
// acc + Σ over the 4 bytes of a lane, a unsigned, b signed; exact.
PARE_INLINE int32_t DotBytes(int32_t acc, int32_t a, int32_t b) {
  int64_t sum = acc;
  for (int j = 0; j < 4; ++j) sum += ByteU(a, j) * ByteS(b, j);
  return Wrap(sum);
}
#if PARE_SIMD_HAS_DOT_U8S8
PARE_LANEWISE(I32, DotU8S8, (I32 acc, I32 a, I32 b), DotBytes(acc.v[i], a.v[i], b.v[i]))
#endif
#if PARE_SIMD_HAS_DOT_S8S8
PARE_INLINE int32_t DotSignedBytes(int32_t acc, int32_t a, int32_t b) {
  int64_t sum = acc;
  for (int j = 0; j < 4; ++j) sum += ByteS(a, j) * ByteS(b, j);
  return Wrap(sum);
}
PARE_LANEWISE(I32, DotS8S8, (I32 acc, I32 a, I32 b), DotSignedBytes(acc.v[i], a.v[i], b.v[i]))
#endif
#if PARE_SIMD_HAS_MADD_U8S8
// Pairs of bytes, a unsigned, b signed, into 16-bit halves; SATURATES at ±32767 as the instruction
// does.
PARE_INLINE int32_t MaddPairs(int32_t a, int32_t b) {
  uint32_t r = 0;
  for (int h = 0; h < 2; ++h) {
    int32_t sum = ByteU(a, 2 * h) * ByteS(b, 2 * h) + ByteU(a, 2 * h + 1) * ByteS(b, 2 * h + 1);
    sum = sum < -32768 ? -32768 : sum > 32767 ? 32767 : sum;
    r |= (static_cast<uint32_t>(sum) & 0xffffu) << 16 * h;
  }
  return static_cast<int32_t>(r);
}
PARE_LANEWISE(I32, MaddU8S8, (I32 a, I32 b), MaddPairs(a.v[i], b.v[i]))
// 16-bit sums that wrap around.
PARE_INLINE int32_t AddHalves(int32_t a, int32_t b) {
  const uint32_t x = static_cast<uint32_t>(a), y = static_cast<uint32_t>(b);
  return static_cast<int32_t>((((x >> 16) + (y >> 16)) << 16) | ((x + y) & 0xffffu));
}
PARE_LANEWISE(I32, AddS16, (I32 a, I32 b), AddHalves(a.v[i], b.v[i]))
#endif

// to[j][i] = from[i][j] for a square of kTransposeSize; strides between rows in floats.
inline constexpr int kTransposeSize = kLanes < 8 ? kLanes : 8;
PARE_INLINE void Transpose(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  for (int i = 0; i < kTransposeSize; ++i) {
    for (int j = 0; j < kTransposeSize; ++j) to[j * to_stride + i] = from[i * from_stride + j];
  }
}

// to[3i] = a[i], to[3i + 1] = b[i], to[3i + 2] = c[i] for kTransposeSize floats, or for 16 bytes.
PARE_INLINE void Interleave3(const float* a, const float* b, const float* c, float* to) {
  for (int i = 0; i < kTransposeSize; ++i, to += 3) to[0] = a[i], to[1] = b[i], to[2] = c[i];
}
PARE_INLINE void Interleave3(const uint8_t* a, const uint8_t* b, const uint8_t* c, uint8_t* to) {
  for (int i = 0; i < 16; ++i, to += 3) to[0] = a[i], to[1] = b[i], to[2] = c[i];
}

PARE_INLINE void Prefetch(const void*) {}

#undef PARE_LANEWISE
#undef PARE_EACH_LANE

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
