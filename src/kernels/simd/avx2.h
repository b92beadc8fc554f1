// AVX2 + FMA: 8 lanes. The contract of each wrapper is simd/emulated/vector.h. Included once in a
// translation unit; avxvnni.h builds on it.
#pragma once

#ifndef PARE_SIMD_NAMESPACE
#define PARE_SIMD_NAMESPACE avx2
#endif
#define PARE_SIMD_HAS_MADD_U8S8 1

#if PARE_EMULATE_SIMD
#define PARE_SIMD_BYTES 32
#include "kernels/simd/emulated/vector.h"
#else
#include <immintrin.h>

#include "kernels/kernel.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

inline constexpr int kLanes = 8;

// Not __m256: with types that may alias anything g++ 12 spills accumulators.
typedef float F32 __attribute__((vector_size(32)));
typedef int32_t I32 __attribute__((vector_size(32)));
using Mask = I32;  // all ones or all zeros in a lane
using Tail = I32;

PARE_INLINE Tail FirstN(int64_t n) {
  const I32 lane = {0, 1, 2, 3, 4, 5, 6, 7};
  return (I32)_mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n < 8 ? n : 8)), (__m256i)lane);
}

PARE_INLINE F32 Set(float x) { return _mm256_set1_ps(x); }
PARE_INLINE F32 Zero() { return _mm256_setzero_ps(); }
PARE_INLINE F32 Load(const float* p) { return _mm256_loadu_ps(p); }
PARE_INLINE F32 Load(const float* p, Tail t) { return _mm256_maskload_ps(p, (__m256i)t); }
PARE_INLINE void Store(float* p, F32 x) { _mm256_storeu_ps(p, x); }
PARE_INLINE void Store(float* p, F32 x, Tail t) { _mm256_maskstore_ps(p, (__m256i)t, x); }
PARE_INLINE F32 Add(F32 a, F32 b) { return a + b; }
PARE_INLINE F32 Sub(F32 a, F32 b) { return a - b; }
PARE_INLINE F32 Mul(F32 a, F32 b) { return a * b; }
PARE_INLINE F32 Div(F32 a, F32 b) { return a / b; }
PARE_INLINE F32 Fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
PARE_INLINE F32 Fnma(F32 a, F32 b, F32 c) { return _mm256_fnmadd_ps(a, b, c); }
PARE_INLINE F32 Min(F32 a, F32 b) { return _mm256_min_ps(a, b); }
PARE_INLINE F32 Max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
PARE_INLINE F32 Abs(F32 a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
PARE_INLINE F32 Sqrt(F32 a) { return _mm256_sqrt_ps(a); }
PARE_INLINE F32 Round(F32 a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
PARE_INLINE F32 CopySign(F32 a, F32 b) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return _mm256_or_ps(_mm256_andnot_ps(sign, a), _mm256_and_ps(sign, b));
}
PARE_INLINE Mask Less(F32 a, F32 b) {
  return (I32)_mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
PARE_INLINE Mask IsNan(F32 a) {
  return (I32)_mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}
PARE_INLINE F32 Select(Mask m, F32 a, F32 b) {
  return _mm256_blendv_ps(b, a, _mm256_castsi256_ps((__m256i)m));
}
PARE_INLINE float ReduceAdd(F32 a) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
PARE_INLINE float ReduceMax(F32 a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
PARE_INLINE I32 ToInt(F32 a) { return (I32)_mm256_cvtps_epi32(a); }
PARE_INLINE F32 ToFloat(I32 a) { return _mm256_cvtepi32_ps((__m256i)a); }
PARE_INLINE F32 BitsToFloat(I32 a) { return (F32)a; }
PARE_INLINE I32 FloatToBits(F32 a) { return (I32)a; }

PARE_INLINE I32 Set(int32_t x) { return (I32)_mm256_set1_epi32(x); }
PARE_INLINE I32 ZeroI32() { return (I32)_mm256_setzero_si256(); }
PARE_INLINE I32 LoadBytes(const void* p) {
  return (I32)_mm256_loadu_si256(static_cast<const __m256i*>(p));
}
PARE_INLINE void StoreBytes(void* p, I32 x) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), (__m256i)x);
}
PARE_INLINE I32 Load(const int32_t* p) { return LoadBytes(p); }
PARE_INLINE I32 Load(const int32_t* p, Tail t) { return (I32)_mm256_maskload_epi32(p, (__m256i)t); }
PARE_INLINE void Store(int32_t* p, I32 x) { StoreBytes(p, x); }
PARE_INLINE void Store(int32_t* p, I32 x, Tail t) {
  _mm256_maskstore_epi32(p, (__m256i)t, (__m256i)x);
}
PARE_INLINE I32 Add(I32 a, I32 b) { return (I32)_mm256_add_epi32((__m256i)a, (__m256i)b); }
PARE_INLINE I32 Sub(I32 a, I32 b) { return (I32)_mm256_sub_epi32((__m256i)a, (__m256i)b); }
PARE_INLINE I32 Mul(I32 a, I32 b) { return (I32)_mm256_mullo_epi32((__m256i)a, (__m256i)b); }
PARE_INLINE I32 Min(I32 a, I32 b) { return (I32)_mm256_min_epi32((__m256i)a, (__m256i)b); }
PARE_INLINE I32 Max(I32 a, I32 b) { return (I32)_mm256_max_epi32((__m256i)a, (__m256i)b); }
template <int kBits>
PARE_INLINE I32 ShiftLeft(I32 a) {
  return (I32)_mm256_slli_epi32((__m256i)a, kBits);
}

// The first lanes of a tail as bytes, through a buffer: x86 below AVX-512 has no masked byte
// access.
PARE_INLINE int TailCount(Tail t) {
  return __builtin_popcount(
      static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps((__m256i)t))));
}
PARE_INLINE I32 LoadU8(const uint8_t* p) {
  return (I32)_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
PARE_INLINE I32 LoadU8(const uint8_t* p, Tail t) {
  alignas(8) uint8_t bytes[8] = {};
  for (int i = 0, n = TailCount(t); i < n; ++i) bytes[i] = p[i];
  return LoadU8(bytes);
}
PARE_INLINE I32 LoadS8(const int8_t* p) {
  return (I32)_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
PARE_INLINE I32 LoadS8(const int8_t* p, Tail t) {
  alignas(8) int8_t bytes[8] = {};
  for (int i = 0, n = TailCount(t); i < n; ++i) bytes[i] = p[i];
  return LoadS8(bytes);
}
PARE_INLINE void StoreU8(uint8_t* p, I32 x) {
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}
PARE_INLINE void StoreU8(uint8_t* p, I32 x, Tail t) {
  alignas(8) uint8_t bytes[8];
  StoreU8(bytes, x);
  for (int i = 0, n = TailCount(t); i < n; ++i) p[i] = bytes[i];
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
  return (I32)_mm256_srli_epi32((__m256i)a, kBits);
}
template <int kA, int kB, int kC, int kD>
PARE_INLINE I32 PermuteBytes(I32 a) {
  constexpr int kOrder = kA | kB << 8 | kC << 16 | kD << 24;
  const __m256i lanes = _mm256_set_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0x00000000, 0x0c0c0c0c,
                                         0x08080808, 0x04040404, 0x00000000);
  return (I32)_mm256_shuffle_epi8((__m256i)a, _mm256_add_epi32(_mm256_set1_epi32(kOrder), lanes));
}
PARE_INLINE I32 WidenU8(const void* p) {
  return (I32)_mm256_cvtepu8_epi16(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}
PARE_INLINE I32 MaxU8(I32 a, I32 b) { return (I32)_mm256_max_epu8((__m256i)a, (__m256i)b); }
PARE_INLINE I32 ZipLowBytes(I32 a, I32 b) {
  return (I32)_mm256_unpacklo_epi8((__m256i)a, (__m256i)b);
}
PARE_INLINE I32 ZipHighBytes(I32 a, I32 b) {
  return (I32)_mm256_unpackhi_epi8((__m256i)a, (__m256i)b);
}
PARE_INLINE I32 ZipLowHalves(I32 a, I32 b) {
  return (I32)_mm256_unpacklo_epi16((__m256i)a, (__m256i)b);
}
PARE_INLINE I32 ZipHighHalves(I32 a, I32 b) {
  return (I32)_mm256_unpackhi_epi16((__m256i)a, (__m256i)b);
}
PARE_INLINE I32 NarrowU8(I32 a, I32 b, I32 c, I32 d, I32 offset) {
  const __m256i low =
      _mm256_adds_epi16(_mm256_packs_epi32((__m256i)a, (__m256i)b), (__m256i)offset);
  const __m256i high =
      _mm256_adds_epi16(_mm256_packs_epi32((__m256i)c, (__m256i)d), (__m256i)offset);
  return (I32)_mm256_packus_epi16(low, high);
}
// Partial accesses in pieces that overlap.
PARE_INLINE uint64_t LoadWord(const uint8_t* p, int64_t n) {
  uint32_t low = 0, high = 0;
  if (n >= 8) {
    uint64_t all;
    __builtin_memcpy(&all, p, 8);
    return all;
  }
  if (n >= 4) {
    __builtin_memcpy(&low, p, 4);
    __builtin_memcpy(&high, p + n - 4, 4);
    return low | uint64_t{high} << 8 * (n - 4);
  }
  for (int64_t i = 0; i < n; ++i) low |= uint32_t{p[i]} << 8 * i;
  return low;
}
PARE_INLINE I32 LoadBytes(const void* p, int64_t n) {
  const auto* from = static_cast<const uint8_t*>(p);
  int64_t words[4];
  PARE_UNROLL for (int i = 0; i < 4; ++i) {
    words[i] = n > 8 * i ? static_cast<int64_t>(LoadWord(from + 8 * i, n - 8 * i)) : 0;
  }
  return (I32)_mm256_set_epi64x(words[3], words[2], words[1], words[0]);
}
template <int64_t kSize>
PARE_INLINE void StoreTwice(uint8_t* p, const uint8_t* from, int64_t n) {
  __builtin_memcpy(p, from, kSize);
  __builtin_memcpy(p + n - kSize, from + n - kSize, kSize);
}
PARE_INLINE void StoreBytes(void* p, I32 x, int64_t n) {
  alignas(32) uint8_t bytes[32];
  StoreBytes(bytes, x);
  auto* to = static_cast<uint8_t*>(p);
  if (n >= 16) {
    StoreTwice<16>(to, bytes, n);
  } else if (n >= 8) {
    StoreTwice<8>(to, bytes, n);
  } else if (n >= 4) {
    StoreTwice<4>(to, bytes, n);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = bytes[i];
  }
}
PARE_INLINE I32 SplitUnits(I32 x) { return (I32)_mm256_permute4x64_epi64((__m256i)x, 0xd8); }
PARE_INLINE I32 MergeUnits(I32 x) { return SplitUnits(x); }
PARE_INLINE I32 LoadHalves(const void* low, const void* high) {
  return (I32)_mm256_set_m128i(_mm_loadu_si128(static_cast<const __m128i*>(high)),
                               _mm_loadu_si128(static_cast<const __m128i*>(low)));
}
template <int kHigh>
PARE_INLINE void StoreHalf(void* p, I32 x) {
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm256_extracti128_si256((__m256i)x, kHigh));
}
template <int kHigh>
PARE_INLINE void StoreHalf(void* p, I32 x, int64_t n) {
  alignas(32) uint8_t bytes[32];
  StoreBytes(bytes, x);
  for (int64_t i = 0; i < n; ++i) static_cast<uint8_t*>(p)[i] = bytes[kHigh * 16 + i];
}
PARE_INLINE I32 DotS16(I32 acc, I32 a, I32 b) {
  return Add(acc, (I32)_mm256_madd_epi16((__m256i)a, (__m256i)b));
}
PARE_INLINE I32 MaddU8S8(I32 a, I32 b) { return (I32)_mm256_maddubs_epi16((__m256i)a, (__m256i)b); }
PARE_INLINE I32 AddS16(I32 a, I32 b) { return (I32)_mm256_add_epi16((__m256i)a, (__m256i)b); }
#if PARE_SIMD_HAS_DOT_U8S8
PARE_INLINE I32 DotU8S8(I32 acc, I32 a, I32 b) {
  return (I32)_mm256_dpbusd_avx_epi32((__m256i)acc, (__m256i)a, (__m256i)b);
}
#endif

PARE_INLINE void Prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
#include "kernels/simd/transpose_avx.h"
#endif
