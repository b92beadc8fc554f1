// AVX-512 F, BW, DQ, VL: 16 lanes. The contract of each wrapper is simd/emulated/vector.h. Included
// once in a translation unit; avx512vnni.h and avx512bf16.h build on it.
#pragma once

#ifndef PARE_SIMD_NAMESPACE
#define PARE_SIMD_NAMESPACE avx512
#endif
#define PARE_SIMD_HAS_MADD_U8S8 1

#if PARE_EMULATE_SIMD
#define PARE_SIMD_BYTES 64
#include "kernels/simd/emulated/vector.h"
#else
// g++ 12 takes the deliberately undefined operands inside this header for mistakes.
#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

#include "kernels/kernel.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

inline constexpr int kLanes = 16;

// Not __m512: with types that may alias anything g++ 12 spills accumulators.
typedef float F32 __attribute__((vector_size(64)));
typedef int32_t I32 __attribute__((vector_size(64)));
using Mask = __mmask16;
using Tail = __mmask16;

PARE_INLINE Tail FirstN(int64_t n) { return static_cast<Tail>(n < 16 ? (1u << n) - 1u : 0xffffu); }

PARE_INLINE F32 Set(float x) { return _mm512_set1_ps(x); }
PARE_INLINE F32 Zero() { return _mm512_setzero_ps(); }
PARE_INLINE F32 Load(const float* p) { return _mm512_loadu_ps(p); }
PARE_INLINE F32 Load(const float* p, Tail t) { return _mm512_maskz_loadu_ps(t, p); }
PARE_INLINE void Store(float* p, F32 x) { _mm512_storeu_ps(p, x); }
PARE_INLINE void Store(float* p, F32 x, Tail t) { _mm512_mask_storeu_ps(p, t, x); }
PARE_INLINE F32 Add(F32 a, F32 b) { return a + b; }
PARE_INLINE F32 Sub(F32 a, F32 b) { return a - b; }
PARE_INLINE F32 Mul(F32 a, F32 b) { return a * b; }
PARE_INLINE F32 Div(F32 a, F32 b) { return a / b; }
PARE_INLINE F32 Fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
PARE_INLINE F32 Fnma(F32 a, F32 b, F32 c) { return _mm512_fnmadd_ps(a, b, c); }
PARE_INLINE F32 Min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
PARE_INLINE F32 Max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
PARE_INLINE F32 Abs(F32 a) { return _mm512_abs_ps(a); }
PARE_INLINE F32 Sqrt(F32 a) { return _mm512_sqrt_ps(a); }
PARE_INLINE F32 Round(F32 a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
PARE_INLINE F32 CopySign(F32 a, F32 b) {
  const __m512 sign = _mm512_set1_ps(-0.0f);
  return _mm512_or_ps(_mm512_andnot_ps(sign, a), _mm512_and_ps(sign, b));
}
PARE_INLINE Mask Less(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
PARE_INLINE Mask IsNan(F32 a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
PARE_INLINE F32 Select(Mask m, F32 a, F32 b) { return _mm512_mask_blend_ps(m, b, a); }
PARE_INLINE float ReduceAdd(F32 a) {
  const __m256 half = _mm256_add_ps(_mm512_maskz_extractf32x8_ps(0xff, a, 0),
                                    _mm512_maskz_extractf32x8_ps(0xff, a, 1));
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
PARE_INLINE float ReduceMax(F32 a) {
  const __m256 half = _mm256_max_ps(_mm512_maskz_extractf32x8_ps(0xff, a, 0),
                                    _mm512_maskz_extractf32x8_ps(0xff, a, 1));
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
PARE_INLINE I32 ToInt(F32 a) { return (I32)_mm512_cvtps_epi32(a); }
PARE_INLINE F32 ToFloat(I32 a) { return _mm512_cvtepi32_ps((__m512i)a); }
PARE_INLINE F32 BitsToFloat(I32 a) { return (F32)a; }
PARE_INLINE I32 FloatToBits(F32 a) { return (I32)a; }

PARE_INLINE I32 Set(int32_t x) { return (I32)_mm512_set1_epi32(x); }
PARE_INLINE I32 ZeroI32() { return (I32)_mm512_setzero_si512(); }
PARE_INLINE I32 LoadBytes(const void* p) { return (I32)_mm512_loadu_si512(p); }
PARE_INLINE void StoreBytes(void* p, I32 x) { _mm512_storeu_si512(p, (__m512i)x); }
PARE_INLINE I32 Load(const int32_t* p) { return LoadBytes(p); }
PARE_INLINE I32 Load(const int32_t* p, Tail t) { return (I32)_mm512_maskz_loadu_epi32(t, p); }
PARE_INLINE void Store(int32_t* p, I32 x) { StoreBytes(p, x); }
PARE_INLINE void Store(int32_t* p, I32 x, Tail t) { _mm512_mask_storeu_epi32(p, t, (__m512i)x); }
PARE_INLINE I32 Add(I32 a, I32 b) { return (I32)_mm512_add_epi32((__m512i)a, (__m512i)b); }
PARE_INLINE I32 Sub(I32 a, I32 b) { return (I32)_mm512_sub_epi32((__m512i)a, (__m512i)b); }
PARE_INLINE I32 Mul(I32 a, I32 b) { return (I32)_mm512_mullo_epi32((__m512i)a, (__m512i)b); }
PARE_INLINE I32 Min(I32 a, I32 b) { return (I32)_mm512_min_epi32((__m512i)a, (__m512i)b); }
PARE_INLINE I32 Max(I32 a, I32 b) { return (I32)_mm512_max_epi32((__m512i)a, (__m512i)b); }
template <int kBits>
PARE_INLINE I32 ShiftLeft(I32 a) {
  return (I32)_mm512_slli_epi32((__m512i)a, kBits);
}

PARE_INLINE I32 LoadU8(const uint8_t* p) {
  return (I32)_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
PARE_INLINE I32 LoadU8(const uint8_t* p, Tail t) {
  return (I32)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(t, p));
}
PARE_INLINE I32 LoadS8(const int8_t* p) {
  return (I32)_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
PARE_INLINE I32 LoadS8(const int8_t* p, Tail t) {
  return (I32)_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(t, p));
}
PARE_INLINE void StoreU8(uint8_t* p, I32 x) {
  const __m512i clamped = _mm512_max_epi32((__m512i)x, _mm512_setzero_si512());
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(clamped));
}
PARE_INLINE void StoreU8(uint8_t* p, I32 x, Tail t) {
  const __m512i clamped = _mm512_max_epi32((__m512i)x, _mm512_setzero_si512());
  _mm_mask_storeu_epi8(p, t, _mm512_cvtusepi32_epi8(clamped));
}
PARE_INLINE I32 Broadcast4(const void* p) {
  int32_t x;
  __builtin_memcpy(&x, p, sizeof x);
  return Set(x);
}
PARE_INLINE I32 And(I32 a, I32 b) { return a & b; }
PARE_INLINE I32 Xor(I32 a, I32 b) { return a ^ b; }
template <int kBits>
PARE_INLINE I32 ShiftRightLogical(I32 a) {
  return (I32)_mm512_srli_epi32((__m512i)a, kBits);
}
template <int kA, int kB, int kC, int kD>
PARE_INLINE I32 PermuteBytes(I32 a) {
  constexpr int kOrder = kA | kB << 8 | kC << 16 | kD << 24;
  const __m512i lanes =
      _mm512_set_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0x00000000, 0x0c0c0c0c, 0x08080808,
                       0x04040404, 0x00000000, 0x0c0c0c0c, 0x08080808, 0x04040404, 0x00000000,
                       0x0c0c0c0c, 0x08080808, 0x04040404, 0x00000000);
  return (I32)_mm512_shuffle_epi8((__m512i)a, _mm512_add_epi32(_mm512_set1_epi32(kOrder), lanes));
}
PARE_INLINE I32 WidenU8(const void* p) {
  return (I32)_mm512_cvtepu8_epi16(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
PARE_INLINE I32 MaxU8(I32 a, I32 b) { return (I32)_mm512_max_epu8((__m512i)a, (__m512i)b); }
PARE_INLINE I32 ZipLowBytes(I32 a, I32 b) {
  return (I32)_mm512_unpacklo_epi8((__m512i)a, (__m512i)b);
}
PARE_INLINE I32 ZipHighBytes(I32 a, I32 b) {
  return (I32)_mm512_unpackhi_epi8((__m512i)a, (__m512i)b);
}
PARE_INLINE I32 ZipLowHalves(I32 a, I32 b) {
  return (I32)_mm512_unpacklo_epi16((__m512i)a, (__m512i)b);
}
PARE_INLINE I32 ZipHighHalves(I32 a, I32 b) {
  return (I32)_mm512_unpackhi_epi16((__m512i)a, (__m512i)b);
}
PARE_INLINE I32 NarrowU8(I32 a, I32 b, I32 c, I32 d, I32 offset) {
  const __m512i low =
      _mm512_adds_epi16(_mm512_packs_epi32((__m512i)a, (__m512i)b), (__m512i)offset);
  const __m512i high =
      _mm512_adds_epi16(_mm512_packs_epi32((__m512i)c, (__m512i)d), (__m512i)offset);
  return (I32)_mm512_packus_epi16(low, high);
}
PARE_INLINE __mmask64 FirstBytes(int64_t n) {
  return n < 64 ? (__mmask64{1} << n) - 1 : ~__mmask64{0};
}
PARE_INLINE I32 LoadBytes(const void* p, int64_t n) {
  return (I32)_mm512_maskz_loadu_epi8(FirstBytes(n), p);
}
PARE_INLINE void StoreBytes(void* p, I32 x, int64_t n) {
  _mm512_mask_storeu_epi8(p, FirstBytes(n), (__m512i)x);
}
PARE_INLINE I32 SplitUnits(I32 x) {
  const __m512i order = _mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0);
  return (I32)_mm512_permutexvar_epi64(order, (__m512i)x);
}
PARE_INLINE I32 MergeUnits(I32 x) {
  const __m512i order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
  return (I32)_mm512_permutexvar_epi64(order, (__m512i)x);
}
PARE_INLINE I32 LoadHalves(const void* low, const void* high) {
  const __m256i first = _mm256_loadu_si256(static_cast<const __m256i*>(low));
  return (I32)_mm512_inserti64x4(_mm512_castsi256_si512(first),
                                 _mm256_loadu_si256(static_cast<const __m256i*>(high)), 1);
}
template <int kHigh>
PARE_INLINE void StoreHalf(void* p, I32 x) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_extracti64x4_epi64((__m512i)x, kHigh));
}
template <int kHigh>
PARE_INLINE void StoreHalf(void* p, I32 x, int64_t n) {
  _mm256_mask_storeu_epi8(p, static_cast<__mmask32>(FirstBytes(n)),
                          _mm512_extracti64x4_epi64((__m512i)x, kHigh));
}
PARE_INLINE I32 DotS16(I32 acc, I32 a, I32 b) {
  return Add(acc, (I32)_mm512_madd_epi16((__m512i)a, (__m512i)b));
}
PARE_INLINE I32 MaddU8S8(I32 a, I32 b) { return (I32)_mm512_maddubs_epi16((__m512i)a, (__m512i)b); }
PARE_INLINE I32 AddS16(I32 a, I32 b) { return (I32)_mm512_add_epi16((__m512i)a, (__m512i)b); }
#if PARE_SIMD_HAS_DOT_U8S8
PARE_INLINE I32 DotU8S8(I32 acc, I32 a, I32 b) {
  return (I32)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)a, (__m512i)b);
}
#endif

PARE_INLINE void Prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
#include "kernels/simd/transpose_avx.h"
#endif
