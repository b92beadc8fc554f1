// How depthwise kernels arrange the inputs of one picture column, compiled per ISA: include after
// simd/<isa>.h.
//
// A channel meets only its own weights, so nothing is shared between channels, and the sum over the
// window must happen inside a lane: bytes of neighbouring rows of the window are interleaved,
// channel by channel, so that one instruction multiplies and adds kRows taps of a column. Outputs
// side by side use the same columns.
#pragma once

#include "kernels/qconv/qconv.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

// A row of the picture at some channel: pixel x is at first + x · step. Outside of the picture step
// is 0.
struct PictureRow {
  const uint8_t* first;
  int64_t step;
};

// Requantization of a block, from the arguments of a run.
struct BlockOut {
  explicit BlockOut(const QConvArgs& args)
      : lo(Set(static_cast<float>(args.lo - args.y_zero_point))),
        hi(Set(static_cast<float>(args.hi - args.y_zero_point))),
        zero_point(Set(args.y_zero_point)),
        zero_point_halves(Set(args.y_zero_point * 0x00010001)),
        lo_bytes(Set(static_cast<int32_t>(static_cast<uint32_t>(args.lo) * 0x01010101u))) {}
  F32 lo, hi;
  I32 zero_point, zero_point_halves, lo_bytes;
};

// Two rows of kLanes channels as s16, for weights of s16.
struct PairForm {
  static constexpr int kVectors = 1, kRows = 2, kBlock = kLanes;
  static constexpr int32_t kInputOffset = 0;
  using Weight = int16_t;

  static int64_t ChannelOf(int, int lane) { return lane; }

  template <bool kWhole>
  static PARE_INLINE void Column(const PictureRow* rows, int64_t x, int64_t n, I32 (&d)[1]) {
    const uint8_t *a = rows[0].first + x * rows[0].step, *b = rows[1].first + x * rows[1].step;
    if constexpr (kWhole) {
      d[0] = PairU8(a, b);
    } else {
      d[0] = Add(LoadU8(a, FirstN(n)), ShiftLeft<16>(LoadU8(b, FirstN(n))));
    }
  }
  static PARE_INLINE I32 Dot(I32 acc, I32 d, I32 w) { return DotS16(acc, d, w); }

  template <bool kWhole>
  static PARE_INLINE void StoreOut(uint8_t* y, const I32 (&acc)[1], const float* scale, int64_t n,
                                   const BlockOut& out) {
    const F32 x = Min(Max(Mul(ToFloat(acc[0]), Load(scale)), out.lo), out.hi);
    const I32 bytes = Add(ToInt(x), out.zero_point);
    if constexpr (kWhole) {
      StoreU8(y, bytes);
    } else {
      StoreU8(y, bytes, FirstN(n));
    }
  }
};

#if PARE_SIMD_HAS_DOT_U8S8 || PARE_SIMD_HAS_DOT_S8S8
// Four rows of 4 · kLanes channels as bytes. Zipping leaves the channels of every 16 bytes in the
// order that NarrowU8 undoes; weights, biases and scales are packed in that order.
struct QuadForm {
  static constexpr int kVectors = 4, kRows = 4, kBlock = 4 * kLanes;
  using Weight = int8_t;
#if PARE_SIMD_HAS_DOT_U8S8
  static constexpr int32_t kInputOffset = 0;
  static PARE_INLINE I32 Signed(I32 x) { return x; }
  static PARE_INLINE I32 Dot(I32 acc, I32 d, I32 w) { return DotU8S8(acc, d, w); }
#else
  static constexpr int32_t kInputOffset = 128;
  static PARE_INLINE I32 Signed(I32 x) { return Xor(x, Set(static_cast<int32_t>(0x80808080u))); }
  static PARE_INLINE I32 Dot(I32 acc, I32 d, I32 w) { return DotS8S8(acc, d, w); }
#endif

  static int64_t ChannelOf(int vector, int lane) { return lane / 4 * 16 + vector * 4 + lane % 4; }

  template <bool kWhole>
  static PARE_INLINE I32 LoadRow(PictureRow row, int64_t x, int64_t n) {
    const uint8_t* from = row.first + x * row.step;
    if constexpr (kWhole) {
      return Signed(LoadBytes(from));
    } else {
      return Signed(LoadBytes(from, n));
    }
  }
  static PARE_INLINE void Interleave(I32 a, I32 b, I32 c, I32 e, I32 (&d)[4]) {
    const I32 ab_low = ZipLowBytes(a, b), ab_high = ZipHighBytes(a, b);
    const I32 ce_low = ZipLowBytes(c, e), ce_high = ZipHighBytes(c, e);
    d[0] = ZipLowHalves(ab_low, ce_low);
    d[1] = ZipHighHalves(ab_low, ce_low);
    d[2] = ZipLowHalves(ab_high, ce_high);
    d[3] = ZipHighHalves(ab_high, ce_high);
  }
  template <bool kWhole>
  static PARE_INLINE void Column(const PictureRow* rows, int64_t x, int64_t n, I32 (&d)[4]) {
    Interleave(LoadRow<kWhole>(rows[0], x, n), LoadRow<kWhole>(rows[1], x, n),
               LoadRow<kWhole>(rows[2], x, n), LoadRow<kWhole>(rows[3], x, n), d);
  }
  // The fourth row has no weight.
  template <bool kWhole>
  static PARE_INLINE void Column3(const PictureRow* rows, int64_t x, int64_t n, I32 (&d)[4]) {
    Interleave(LoadRow<kWhole>(rows[0], x, n), LoadRow<kWhole>(rows[1], x, n),
               LoadRow<kWhole>(rows[2], x, n), ZeroI32(), d);
  }

  template <bool kWhole>
  static PARE_INLINE void StoreOut(uint8_t* y, const I32 (&acc)[4], const float* scale, int64_t n,
                                   const BlockOut& out) {
    I32 q[4];
    PARE_UNROLL for (int v = 0; v < 4; ++v) {
      q[v] = ToInt(Min(Mul(ToFloat(acc[v]), Load(scale + v * kLanes)), out.hi));
    }
    const I32 bytes = MaxU8(NarrowU8(q[0], q[1], q[2], q[3], out.zero_point_halves), out.lo_bytes);
    if constexpr (kWhole) {
      StoreBytes(y, bytes);
    } else {
      StoreBytes(y, bytes, n);
    }
  }
};
#endif

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
