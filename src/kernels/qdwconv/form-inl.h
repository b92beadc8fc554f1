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

// Requantization of a block, from the arguments of a run. What is below lo stays below it until the
// bytes are compared.
struct BlockOut {
  explicit BlockOut(const QConvArgs& args)
      : hi(Set(static_cast<float>(args.hi - args.y_zero_point))),
        zero_point_halves(Set(args.y_zero_point * 0x00010001)),
        lo_bytes(Set(static_cast<int32_t>(static_cast<uint32_t>(args.lo) * 0x01010101u))) {}
  F32 hi;
  I32 zero_point_halves, lo_bytes;
};

// A block of channels, packed.
constexpr int64_t kColumnBytes = 4 * kLanes * 4;
struct DwBlock {
  DwBlock(const uint8_t* packed, int64_t valid)
      : bias(reinterpret_cast<const int32_t*>(packed)),
        scale(reinterpret_cast<const float*>(packed + kColumnBytes)),
        weights(packed + 2 * kColumnBytes),
        channels(valid) {}
  const int32_t* bias;
  const float* scale;
  const uint8_t* weights;
  int64_t channels;  // valid ones
};

// One output row of one block.
struct DwRow {
  int64_t columns() const { return (out_w - 1) * stride_w + (kernel_w - 1) * dilation_w + 1; }

  const BlockOut& out;
  const PictureRow* rows;  // the window's, rounded up to the form's
  const uint8_t* outside;  // a pixel of zero points
  uint8_t* y;
  int64_t y_stride;
  int64_t in_w, out_w, pad_left;
  int64_t kernel_w, stride_w, dilation_w;
  int64_t channels;
};

// A block is 4 · kLanes channels in four vectors. Zipping leaves the channels of every 16 bytes in
// the order that NarrowU8 undoes; weights, biases and scales are packed in that order.
struct BlockForm {
  static constexpr int kVectors = 4, kBlock = 4 * kLanes;

  static int64_t ChannelOf(int vector, int lane) { return lane / 4 * 16 + vector * 4 + lane % 4; }

  template <bool kWhole>
  static PARE_INLINE I32 LoadPixel(const uint8_t* from, int64_t n) {
    if constexpr (kWhole) {
      return LoadBytes(from);
    } else {
      return LoadBytes(from, n);
    }
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

PARE_INLINE void StoreColumn(uint8_t* to, const I32 (&d)[4]) {
  PARE_UNROLL for (int v = 0; v < 4; ++v) StoreBytes(to + v * kLanes * 4, d[v]);
}

// Two rows as s16, for weights of s16.
struct PairForm : BlockForm {
  static constexpr int kRows = 2;
  static constexpr bool kSlides = false;
  static constexpr int32_t kInputOffset = 0;
  using Weight = int16_t;

  static PARE_INLINE I32 Dot(I32 acc, I32 d, I32 w) { return DotS16(acc, d, w); }

  template <bool kWhole>
  static PARE_INLINE void Column(const uint8_t* const (&from)[2], int64_t n, I32 (&d)[4]) {
    const I32 a = LoadPixel<kWhole>(from[0], n), b = LoadPixel<kWhole>(from[1], n);
    const I32 low = ZipLowBytes(a, b), high = ZipHighBytes(a, b), zero = ZeroI32();
    d[0] = ZipLowBytes(low, zero);
    d[1] = ZipHighBytes(low, zero);
    d[2] = ZipLowBytes(high, zero);
    d[3] = ZipHighBytes(high, zero);
  }
};

#if PARE_SIMD_HAS_DOT_U8S8 || PARE_SIMD_HAS_DOT_S8S8
// Four rows as bytes.
struct QuadForm : BlockForm {
  static constexpr int kRows = 4;
  static constexpr bool kSlides = true;  // slide-inl.h
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

  static PARE_INLINE void Interleave(I32 a, I32 b, I32 c, I32 e, I32 (&d)[4]) {
    const I32 ab_low = ZipLowBytes(a, b), ab_high = ZipHighBytes(a, b);
    const I32 ce_low = ZipLowBytes(c, e), ce_high = ZipHighBytes(c, e);
    d[0] = ZipLowHalves(ab_low, ce_low);
    d[1] = ZipHighHalves(ab_low, ce_low);
    d[2] = ZipLowHalves(ab_high, ce_high);
    d[3] = ZipHighHalves(ab_high, ce_high);
  }
  template <bool kWhole>
  static PARE_INLINE I32 LoadSigned(const uint8_t* from, int64_t n) {
    return Signed(LoadPixel<kWhole>(from, n));
  }
  template <bool kWhole>
  static PARE_INLINE void Column(const uint8_t* const (&from)[4], int64_t n, I32 (&d)[4]) {
    Interleave(LoadSigned<kWhole>(from[0], n), LoadSigned<kWhole>(from[1], n),
               LoadSigned<kWhole>(from[2], n), LoadSigned<kWhole>(from[3], n), d);
  }
  // The fourth row has no weight.
  template <bool kWhole>
  static PARE_INLINE void Column3(const uint8_t* const (&from)[3], int64_t n, I32 (&d)[4]) {
    Interleave(LoadSigned<kWhole>(from[0], n), LoadSigned<kWhole>(from[1], n),
               LoadSigned<kWhole>(from[2], n), ZeroI32(), d);
  }
};
#endif

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
