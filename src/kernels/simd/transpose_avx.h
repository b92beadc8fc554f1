// The transposes of avx2.h and avx512.h, which include it; the contract is simd/emulated/vector.h.
#pragma once

#include <immintrin.h>

#include "kernels/kernel.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

inline constexpr int kTransposeSize = 8;

PARE_INLINE void Transpose(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m256 r[8], t[8], s[8];
  PARE_UNROLL for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(from + i * from_stride);
  PARE_UNROLL for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  PARE_UNROLL for (int i = 0; i < 8; i += 4) {
    s[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    s[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    s[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    s[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  PARE_UNROLL for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(to + i * to_stride, _mm256_permute2f128_ps(s[i], s[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * to_stride, _mm256_permute2f128_ps(s[i], s[i + 4], 0x31));
  }
}

// Three outputs of 8 lanes, whose places 3i + j hold element i of input j: the elements of all
// inputs are spread alike, then blended.
PARE_INLINE void Interleave3(const float* a, const float* b, const float* c, float* to) {
  const __m256 x = _mm256_loadu_ps(a), y = _mm256_loadu_ps(b), z = _mm256_loadu_ps(c);
  const __m256i first = _mm256_setr_epi32(0, 0, 0, 1, 1, 1, 2, 2);
  const __m256i second = _mm256_setr_epi32(2, 3, 3, 3, 4, 4, 4, 5);
  const __m256i third = _mm256_setr_epi32(5, 5, 6, 6, 6, 7, 7, 7);
  const auto spread = [](__m256 p, __m256i at) { return _mm256_permutevar8x32_ps(p, at); };
  __m256 r = _mm256_blend_ps(spread(x, first), spread(y, first), 0x92);
  _mm256_storeu_ps(to, _mm256_blend_ps(r, spread(z, first), 0x24));
  r = _mm256_blend_ps(spread(x, second), spread(y, second), 0x24);
  _mm256_storeu_ps(to + 8, _mm256_blend_ps(r, spread(z, second), 0x49));
  r = _mm256_blend_ps(spread(x, third), spread(y, third), 0x49);
  _mm256_storeu_ps(to + 16, _mm256_blend_ps(r, spread(z, third), 0x92));
}

PARE_INLINE void Interleave3(const uint8_t* a, const uint8_t* b, const uint8_t* c, uint8_t* to) {
  constexpr char kNo = -1;
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
  const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
  const __m128i z = _mm_loadu_si128(reinterpret_cast<const __m128i*>(c));
  // The places of one input are those of the one before, moved on by one.
  const __m128i p[3] = {
      _mm_setr_epi8(0, kNo, kNo, 1, kNo, kNo, 2, kNo, kNo, 3, kNo, kNo, 4, kNo, kNo, 5),
      _mm_setr_epi8(kNo, kNo, 6, kNo, kNo, 7, kNo, kNo, 8, kNo, kNo, 9, kNo, kNo, 10, kNo),
      _mm_setr_epi8(kNo, 11, kNo, kNo, 12, kNo, kNo, 13, kNo, kNo, 14, kNo, kNo, 15, kNo, kNo)};
  const __m128i q[3] = {
      _mm_setr_epi8(kNo, 0, kNo, kNo, 1, kNo, kNo, 2, kNo, kNo, 3, kNo, kNo, 4, kNo, kNo),
      _mm_setr_epi8(5, kNo, kNo, 6, kNo, kNo, 7, kNo, kNo, 8, kNo, kNo, 9, kNo, kNo, 10),
      _mm_setr_epi8(kNo, kNo, 11, kNo, kNo, 12, kNo, kNo, 13, kNo, kNo, 14, kNo, kNo, 15, kNo)};
  const __m128i s[3] = {
      _mm_setr_epi8(kNo, kNo, 0, kNo, kNo, 1, kNo, kNo, 2, kNo, kNo, 3, kNo, kNo, 4, kNo),
      _mm_setr_epi8(kNo, 5, kNo, kNo, 6, kNo, kNo, 7, kNo, kNo, 8, kNo, kNo, 9, kNo, kNo),
      _mm_setr_epi8(10, kNo, kNo, 11, kNo, kNo, 12, kNo, kNo, 13, kNo, kNo, 14, kNo, kNo, 15)};
  PARE_UNROLL for (int i = 0; i < 3; ++i) {
    const __m128i two = _mm_or_si128(_mm_shuffle_epi8(x, p[i]), _mm_shuffle_epi8(y, q[i]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 16 * i),
                     _mm_or_si128(two, _mm_shuffle_epi8(z, s[i])));
  }
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
