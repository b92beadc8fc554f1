// NEON of aarch64: 4 lanes. The contract of each wrapper is simd/emulated/vector.h. Included once
// in a translation unit; neondot.h builds on it.
#pragma once

#ifndef PARE_SIMD_NAMESPACE
#define PARE_SIMD_NAMESPACE neon
#endif

#if PARE_EMULATE_SIMD
#define PARE_SIMD_BYTES 16
#include "kernels/simd/emulated/vector.h"
#else
#include <arm_neon.h>

#include "kernels/kernel.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

inline constexpr int kLanes = 4;

using F32 = float32x4_t;
using I32 = int32x4_t;
using Mask = uint32x4_t;
struct Tail {
  int n;
};

PARE_INLINE Tail FirstN(int64_t n) { return {static_cast<int>(n < 4 ? n : 4)}; }

PARE_INLINE F32 Set(float x) { return vdupq_n_f32(x); }
PARE_INLINE F32 Zero() { return vdupq_n_f32(0.0f); }
PARE_INLINE F32 Load(const float* p) { return vld1q_f32(p); }
PARE_INLINE F32 Load(const float* p, Tail t) {
  float lanes[4] = {};
  for (int i = 0; i < t.n; ++i) lanes[i] = p[i];
  return vld1q_f32(lanes);
}
PARE_INLINE void Store(float* p, F32 x) { vst1q_f32(p, x); }
PARE_INLINE void Store(float* p, F32 x, Tail t) {
  float lanes[4];
  vst1q_f32(lanes, x);
  for (int i = 0; i < t.n; ++i) p[i] = lanes[i];
}
PARE_INLINE F32 Add(F32 a, F32 b) { return vaddq_f32(a, b); }
PARE_INLINE F32 Sub(F32 a, F32 b) { return vsubq_f32(a, b); }
PARE_INLINE F32 Mul(F32 a, F32 b) { return vmulq_f32(a, b); }
PARE_INLINE F32 Div(F32 a, F32 b) { return vdivq_f32(a, b); }
PARE_INLINE F32 Fma(F32 a, F32 b, F32 c) { return vfmaq_f32(c, a, b); }
PARE_INLINE F32 Fnma(F32 a, F32 b, F32 c) { return vfmsq_f32(c, a, b); }
PARE_INLINE F32 Min(F32 a, F32 b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
PARE_INLINE F32 Max(F32 a, F32 b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
PARE_INLINE F32 Abs(F32 a) { return vabsq_f32(a); }
PARE_INLINE F32 Sqrt(F32 a) { return vsqrtq_f32(a); }
PARE_INLINE F32 Round(F32 a) { return vrndnq_f32(a); }
PARE_INLINE F32 CopySign(F32 a, F32 b) { return vbslq_f32(vdupq_n_u32(0x80000000u), b, a); }
PARE_INLINE Mask Less(F32 a, F32 b) { return vcltq_f32(a, b); }
PARE_INLINE Mask IsNan(F32 a) { return vmvnq_u32(vceqq_f32(a, a)); }
PARE_INLINE F32 Select(Mask m, F32 a, F32 b) { return vbslq_f32(m, a, b); }
PARE_INLINE float ReduceAdd(F32 a) {
  const float32x2_t half = vadd_f32(vget_low_f32(a), vget_high_f32(a));
  return vget_lane_f32(half, 0) + vget_lane_f32(half, 1);
}
PARE_INLINE float ReduceMax(F32 a) { return vmaxvq_f32(a); }
PARE_INLINE I32 ToInt(F32 a) { return vcvtnq_s32_f32(a); }
PARE_INLINE F32 ToFloat(I32 a) { return vcvtq_f32_s32(a); }
PARE_INLINE F32 BitsToFloat(I32 a) { return vreinterpretq_f32_s32(a); }
PARE_INLINE I32 FloatToBits(F32 a) { return vreinterpretq_s32_f32(a); }

PARE_INLINE I32 Set(int32_t x) { return vdupq_n_s32(x); }
PARE_INLINE I32 ZeroI32() { return vdupq_n_s32(0); }
PARE_INLINE I32 LoadBytes(const void* p) {
  return vreinterpretq_s32_u8(vld1q_u8(static_cast<const uint8_t*>(p)));
}
PARE_INLINE void StoreBytes(void* p, I32 x) {
  vst1q_u8(static_cast<uint8_t*>(p), vreinterpretq_u8_s32(x));
}
PARE_INLINE I32 Load(const int32_t* p) { return vld1q_s32(p); }
PARE_INLINE I32 Load(const int32_t* p, Tail t) {
  int32_t lanes[4] = {};
  for (int i = 0; i < t.n; ++i) lanes[i] = p[i];
  return vld1q_s32(lanes);
}
PARE_INLINE void Store(int32_t* p, I32 x) { vst1q_s32(p, x); }
PARE_INLINE void Store(int32_t* p, I32 x, Tail t) {
  int32_t lanes[4];
  vst1q_s32(lanes, x);
  for (int i = 0; i < t.n; ++i) p[i] = lanes[i];
}
PARE_INLINE I32 Add(I32 a, I32 b) { return vaddq_s32(a, b); }
PARE_INLINE I32 Sub(I32 a, I32 b) { return vsubq_s32(a, b); }
PARE_INLINE I32 Mul(I32 a, I32 b) { return vmulq_s32(a, b); }
PARE_INLINE I32 Min(I32 a, I32 b) { return vminq_s32(a, b); }
PARE_INLINE I32 Max(I32 a, I32 b) { return vmaxq_s32(a, b); }
template <int kBits>
PARE_INLINE I32 ShiftLeft(I32 a) {
  return vshlq_n_s32(a, kBits);
}

PARE_INLINE I32 LoadU8(const uint8_t* p, Tail t) {
  int32_t lanes[4] = {};
  for (int i = 0; i < t.n; ++i) lanes[i] = p[i];
  return vld1q_s32(lanes);
}
PARE_INLINE I32 LoadU8(const uint8_t* p) {
  uint32_t x;
  __builtin_memcpy(&x, p, sizeof x);
  return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(x)))));
}
PARE_INLINE I32 LoadS8(const int8_t* p, Tail t) {
  int32_t lanes[4] = {};
  for (int i = 0; i < t.n; ++i) lanes[i] = p[i];
  return vld1q_s32(lanes);
}
PARE_INLINE I32 LoadS8(const int8_t* p) {
  uint32_t x;
  __builtin_memcpy(&x, p, sizeof x);
  return vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(x))));
}
PARE_INLINE uint32_t NarrowU8(I32 x) {
  const int16x4_t words = vqmovn_s32(x);
  return vget_lane_u32(vreinterpret_u32_u8(vqmovun_s16(vcombine_s16(words, words))), 0);
}
PARE_INLINE void StoreU8(uint8_t* p, I32 x) {
  const uint32_t bytes = NarrowU8(x);
  __builtin_memcpy(p, &bytes, sizeof bytes);
}
PARE_INLINE void StoreU8(uint8_t* p, I32 x, Tail t) {
  const uint32_t bytes = NarrowU8(x);
  for (int i = 0; i < t.n; ++i) p[i] = static_cast<uint8_t>(bytes >> 8 * i);
}
PARE_INLINE I32 Broadcast4(const void* p) {
  int32_t x;
  __builtin_memcpy(&x, p, sizeof x);
  return Set(x);
}
PARE_INLINE I32 Xor(I32 a, I32 b) { return veorq_s32(a, b); }
PARE_INLINE I32 WidenU8(const void* p) {
  return vreinterpretq_s32_u16(vmovl_u8(vld1_u8(static_cast<const uint8_t*>(p))));
}
PARE_INLINE I32 MaxU8(I32 a, I32 b) {
  return vreinterpretq_s32_u8(vmaxq_u8(vreinterpretq_u8_s32(a), vreinterpretq_u8_s32(b)));
}
PARE_INLINE I32 ZipLowBytes(I32 a, I32 b) {
  return vreinterpretq_s32_u8(vzip1q_u8(vreinterpretq_u8_s32(a), vreinterpretq_u8_s32(b)));
}
PARE_INLINE I32 ZipHighBytes(I32 a, I32 b) {
  return vreinterpretq_s32_u8(vzip2q_u8(vreinterpretq_u8_s32(a), vreinterpretq_u8_s32(b)));
}
PARE_INLINE I32 ZipLowHalves(I32 a, I32 b) {
  return vreinterpretq_s32_u16(vzip1q_u16(vreinterpretq_u16_s32(a), vreinterpretq_u16_s32(b)));
}
PARE_INLINE I32 ZipHighHalves(I32 a, I32 b) {
  return vreinterpretq_s32_u16(vzip2q_u16(vreinterpretq_u16_s32(a), vreinterpretq_u16_s32(b)));
}
PARE_INLINE I32 NarrowU8(I32 a, I32 b, I32 c, I32 d, I32 offset) {
  const int16x8_t add = vreinterpretq_s16_s32(offset);
  const int16x8_t low = vqaddq_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)), add);
  const int16x8_t high = vqaddq_s16(vcombine_s16(vqmovn_s32(c), vqmovn_s32(d)), add);
  return vreinterpretq_s32_u8(vcombine_u8(vqmovun_s16(low), vqmovun_s16(high)));
}
PARE_INLINE I32 LoadBytes(const void* p, int64_t n) {
  uint8_t bytes[16] = {};
  for (int64_t i = 0; i < n; ++i) bytes[i] = static_cast<const uint8_t*>(p)[i];
  return LoadBytes(bytes);
}
PARE_INLINE void StoreBytes(void* p, I32 x, int64_t n) {
  uint8_t bytes[16];
  StoreBytes(bytes, x);
  for (int64_t i = 0; i < n; ++i) static_cast<uint8_t*>(p)[i] = bytes[i];
}
PARE_INLINE I32 SplitUnits(I32 x) { return x; }
PARE_INLINE I32 MergeUnits(I32 x) { return x; }
PARE_INLINE I32 LoadHalves(const void* low, const void* high) {
  return vreinterpretq_s32_u8(vcombine_u8(vld1_u8(static_cast<const uint8_t*>(low)),
                                          vld1_u8(static_cast<const uint8_t*>(high))));
}
template <int kHigh>
PARE_INLINE void StoreHalf(void* p, I32 x) {
  const uint8x16_t bytes = vreinterpretq_u8_s32(x);
  vst1_u8(static_cast<uint8_t*>(p), kHigh ? vget_high_u8(bytes) : vget_low_u8(bytes));
}
template <int kHigh>
PARE_INLINE void StoreHalf(void* p, I32 x, int64_t n) {
  uint8_t bytes[16];
  StoreBytes(bytes, x);
  for (int64_t i = 0; i < n; ++i) static_cast<uint8_t*>(p)[i] = bytes[kHigh * 8 + i];
}
PARE_INLINE I32 DotS16(I32 acc, I32 a, I32 b) {
  const int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
  return vaddq_s32(acc,
                   vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y)));
}
#if PARE_SIMD_HAS_DOT_S8S8
PARE_INLINE I32 DotS8S8(I32 acc, I32 a, I32 b) {
  return vdotq_s32(acc, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
}
#endif

inline constexpr int kTransposeSize = 4;
PARE_INLINE void Transpose(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  const float32x4x2_t a = vtrnq_f32(vld1q_f32(from), vld1q_f32(from + from_stride));
  const float32x4x2_t b =
      vtrnq_f32(vld1q_f32(from + 2 * from_stride), vld1q_f32(from + 3 * from_stride));
  vst1q_f32(to, vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0])));
  vst1q_f32(to + to_stride, vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1])));
  vst1q_f32(to + 2 * to_stride, vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0])));
  vst1q_f32(to + 3 * to_stride, vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1])));
}

PARE_INLINE void Interleave3(const float* a, const float* b, const float* c, float* to) {
  vst3q_f32(to, float32x4x3_t{{vld1q_f32(a), vld1q_f32(b), vld1q_f32(c)}});
}
PARE_INLINE void Interleave3(const uint8_t* a, const uint8_t* b, const uint8_t* c, uint8_t* to) {
  vst3q_u8(to, uint8x16x3_t{{vld1q_u8(a), vld1q_u8(b), vld1q_u8(c)}});
}

PARE_INLINE void Prefetch(const void* p) { __builtin_prefetch(p); }

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
#endif
