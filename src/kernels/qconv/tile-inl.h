// The register tile of quantized products, compiled per ISA: include after kernels/simd/<isa>.h.
//
// A tile is kRows output pixels by kVectors vectors of channels, its int32 sums in registers. A
// step broadcasts four bytes of each row (four u8, or two s16 of a widened row) against kLanes · 4
// bytes of weights.
#pragma once

#include "kernels/qconv/qconv.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

// Where finished sums go: `raw` (if set) takes the int32 sums of the tile as they lie, kVectors ·
// kLanes to a row; else they become u8.
struct TileOut {
  int32_t* raw;
  uint8_t* y;
  int64_t y_stride;
  const uint8_t* residual;  // or null
  int64_t r_stride;
  float lo, hi;  // bounds of y - y_zero_point
  int32_t lo_byte;
  int32_t y_zero_point, residual_zero_point;
  float residual_scale;
};

struct TileArgs {
  // rows[s · kRows + r] is row r in segment s. A segment is `length` bytes; where that is no
  // multiple of 4 its last step reads the last four bytes again, against weights that are zero for
  // those already used.
  const uint8_t* const* rows;
  int64_t segments, length;
  const uint8_t* weights;  // one panel of kLanes channels: [segments][steps][kLanes][4 bytes]
  int64_t panel_bytes;     // to the next panel
  const int32_t* bias;
  const float* scale;
  int64_t channels;  // valid ones from here to the end of the last block
  TileOut out;
  // One after the other, kVectors vectors of channels each; with out.raw there is one.
  int64_t blocks;
  int64_t block_bytes;  // to the next block's weights

  PARE_INLINE void NextBlock(int64_t width) {
    weights += block_bytes;
    bias += width;
    scale += width;
    channels -= width;
    if (out.y) out.y += width;  // null where sums are stored raw
    if (out.residual) out.residual += width;
  }
};

template <int kRows, int kVectors>
PARE_INLINE void StoreRaw(I32 (&acc)[kRows][kVectors], int32_t* raw) {
  PARE_UNROLL for (int r = 0; r < kRows; ++r) {
    PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
      Store(raw + (r * kVectors + v) * kLanes, acc[r][v]);
    }
  }
}

// Neighbouring vectors of channels form pairs: their 8 · k + (0 … 3) and 8 · k + (4 … 7) lie in the
// lanes of the first and of the second, so that narrowing brings them together. A last vector
// without a partner is in order. The channel (within its group, of `vectors` vectors) at a position
// of the packed arrays:
constexpr int64_t ChannelAt(int64_t position, int64_t vectors) {
  const int64_t pair = position / (2 * kLanes), lane = position % kLanes;
  if (pair * 2 + 1 >= vectors) return position;
  return pair * 2 * kLanes + lane / 4 * 8 + position / kLanes % 2 * 4 + lane % 4;
}

// The same values for the whole tile.
struct ByteRule {
  explicit PARE_INLINE ByteRule(const TileOut& o)
      : hi(Set(o.hi)),
        residual_scale(Set(o.residual_scale)),
        residual_zero_point(Set(o.residual_zero_point)),
        zero_point(Set(o.y_zero_point * 0x00010001)),
        lo(Set(static_cast<int32_t>(static_cast<uint32_t>(o.lo_byte) * 0x01010101u))) {}
  PARE_INLINE F32 Residual(I32 r) const {
    return Mul(ToFloat(Sub(r, residual_zero_point)), residual_scale);
  }
  // What is below lo stays below it until the bytes are compared.
  PARE_INLINE I32 Quantize(F32 x) const { return ToInt(Min(x, hi)); }
  PARE_INLINE I32 Narrow(I32 a, I32 b, I32 c, I32 d) const {
    return MaxU8(NarrowU8(a, b, c, d, zero_point), lo);
  }
  F32 hi, residual_scale;
  I32 residual_zero_point, zero_point, lo;
};

// Residuals of two rows in the order of a pair's sums.
PARE_INLINE void LoadResiduals(const uint8_t* row0, const uint8_t* row1, int64_t n, I32 (&r)[4]) {
  I32 both;
  if (n >= 2 * kLanes) {
    both = LoadHalves(row0, row1);
  } else {
    uint8_t copy[2][2 * kLanes] = {};
    for (int64_t i = 0; i < n; ++i) copy[0][i] = row0[i], copy[1][i] = row1[i];
    both = LoadHalves(copy[0], copy[1]);
  }
  const I32 units = MergeUnits(both), zero = ZeroI32();
  const I32 first = ZipLowBytes(units, zero), second = ZipHighBytes(units, zero);
  r[0] = ZipLowHalves(first, zero);
  r[1] = ZipHighHalves(first, zero);
  r[2] = ZipLowHalves(second, zero);
  r[3] = ZipHighHalves(second, zero);
}

// Vectors v and v + 1 of rows r0 and r1.
template <bool kResidual, int kRows, int kVectors>
PARE_INLINE void StorePair(I32 (&acc)[kRows][kVectors], const TileOut& o, const ByteRule& rule,
                           const F32 (&scale)[2], int64_t n, int v, int r0, int r1) {
  I32 q[4], residual[4];
  if constexpr (kResidual) {
    const uint8_t* from = o.residual + v * kLanes;
    LoadResiduals(from + r0 * o.r_stride, from + r1 * o.r_stride, n, residual);
  }
  PARE_UNROLL for (int i = 0; i < 4; ++i) {
    F32 x = Mul(ToFloat(acc[i < 2 ? r0 : r1][v + i % 2]), scale[i % 2]);
    if constexpr (kResidual) x = Add(x, rule.Residual(residual[i]));
    q[i] = rule.Quantize(x);
  }
  const I32 bytes = SplitUnits(rule.Narrow(q[0], q[1], q[2], q[3]));
  uint8_t* to = o.y + v * kLanes;
  if (n >= 2 * kLanes) {
    StoreHalf<0>(to + r0 * o.y_stride, bytes);
    if (r0 != r1) StoreHalf<1>(to + r1 * o.y_stride, bytes);
  } else {
    StoreHalf<0>(to + r0 * o.y_stride, bytes, n);
    if (r0 != r1) StoreHalf<1>(to + r1 * o.y_stride, bytes, n);
  }
}

// A last vector without a partner.
template <int kRows, int kVectors, bool kResidual>
PARE_INLINE void StoreLast(I32 (&acc)[kRows][kVectors], const TileArgs& args,
                           const ByteRule& rule) {
  constexpr int v = kVectors - 1;
  const TileOut& o = args.out;
  const int64_t n = args.channels - v * kLanes;
  const Tail tail = FirstN(n);
  const F32 scale = Load(args.scale + v * kLanes), lo = Set(o.lo);
  const I32 zero_point = Set(o.y_zero_point);
  PARE_UNROLL for (int r = 0; r < kRows; ++r) {
    F32 x = Mul(ToFloat(acc[r][v]), scale);
    if constexpr (kResidual) {
      const uint8_t* from = o.residual + r * o.r_stride + v * kLanes;
      x = Add(x, rule.Residual(n >= kLanes ? LoadU8(from) : LoadU8(from, tail)));
    }
    const I32 y = Add(rule.Quantize(Max(x, lo)), zero_point);
    uint8_t* to = o.y + r * o.y_stride + v * kLanes;
    if (n >= kLanes) {
      StoreU8(to, y);
    } else {
      StoreU8(to, y, tail);
    }
  }
}

template <int kRows, int kVectors, bool kResidual>
PARE_INLINE void StoreU8Tile(I32 (&acc)[kRows][kVectors], const TileArgs& args) {
  const ByteRule rule(args.out);
  PARE_UNROLL for (int v = 0; v + 1 < kVectors; v += 2) {
    const F32 scale[2] = {Load(args.scale + v * kLanes), Load(args.scale + (v + 1) * kLanes)};
    const int64_t n = args.channels - v * kLanes;
    PARE_UNROLL for (int r = 0; r < kRows; r += 2) {
      StorePair<kResidual>(acc, args.out, rule, scale, n, v, r, r + 1 < kRows ? r + 1 : r);
    }
  }
  if constexpr (kVectors % 2 != 0) StoreLast<kRows, kVectors, kResidual>(acc, args, rule);
}

template <int kRows, int kVectors>
PARE_INLINE void StoreTile(I32 (&acc)[kRows][kVectors], const TileArgs& args) {
  if (args.out.raw) {
    StoreRaw(acc, args.out.raw);
  } else if (args.out.residual) {
    StoreU8Tile<kRows, kVectors, true>(acc, args);
  } else {
    StoreU8Tile<kRows, kVectors, false>(acc, args);
  }
}

template <class Dot, int kRows, int kVectors>
PARE_INLINE void TileStep(I32 (&acc)[kRows][kVectors], const uint8_t* const (&row)[kRows],
                          int64_t at, const uint8_t* w, int64_t panel_bytes) {
  I32 b[kVectors];
  PARE_UNROLL for (int v = 0; v < kVectors; ++v) b[v] = LoadBytes(w + v * panel_bytes);
  PARE_UNROLL for (int r = 0; r < kRows; ++r) {
    const I32 a = Dot::Prepare(Broadcast4(row[r] + at));
    PARE_UNROLL for (int v = 0; v < kVectors; ++v) acc[r][v] = Dot::Step(acc[r][v], a, b[v]);
  }
}

// One block of channels. Other kinds of tiles overload it with a tag of their own.
template <int kRows, int kVectors, class Dot>
PARE_INLINE void RunBlock(Dot, const TileArgs& args) {
  I32 acc[kRows][kVectors];
  PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
    const I32 bias = Load(args.bias + v * kLanes);
    PARE_UNROLL for (int r = 0; r < kRows; ++r) acc[r][v] = bias;
  }
  const uint8_t* w = args.weights;
  const int64_t whole = args.length & ~int64_t{3};
  for (int64_t s = 0; s < args.segments; ++s) {
    const uint8_t* row[kRows];
    PARE_UNROLL for (int r = 0; r < kRows; ++r) row[r] = args.rows[s * kRows + r];
    for (int64_t at = 0; at < whole; at += 4, w += kLanes * 4) {
      TileStep<Dot>(acc, row, at, w, args.panel_bytes);
    }
    if (whole != args.length) {
      TileStep<Dot>(acc, row, args.length - 4, w, args.panel_bytes);
      w += kLanes * 4;
    }
  }
  StoreTile(acc, args);
}

// The arguments are copied, because stores of bytes might change the caller's.
template <class Dot, int kRows, int kVectors>
void RunTile(const TileArgs& caller) noexcept {
  TileArgs args = caller;
  for (int64_t block = caller.blocks; block > 0; --block) {
    RunBlock<kRows, kVectors>(Dot{}, args);
    args.NextBlock(kVectors * kLanes);
  }
}

// How many rows fit beside `vectors` vectors, so that sums, weights and a broadcast fill the
// registers.
constexpr int64_t MaxRows(int64_t vectors) {
#if PARE_EMULATE_SIMD
  return vectors <= 2 ? 4 : 2;  // any height is right: lower tiles compile sooner
#else
  if (kLanes == 8) return vectors <= 2 ? 6 : vectors == 3 ? 4 : 3;  // 16 registers
  return vectors <= 2 ? 12 : vectors == 3 ? 8 : 6;                  // 32
#endif
}
constexpr int kMaxVectors = 4;

template <class Dot, int kMost = kMaxVectors>
struct Tiles {
  using Function = void (*)(const TileArgs&) noexcept;

  static Function Find(int64_t rows, int64_t vectors) { return kTable.of[vectors - 1][rows - 1]; }

 private:
  struct Table {
    Function of[kMost][MaxRows(1)];
  };
  template <int kRow, int kVector>
  static constexpr void Fill(Table& table) {
    table.of[kVector - 1][kRow - 1] = RunTile<Dot, kRow, kVector>;
    if constexpr (kRow > 1) {
      Fill<kRow - 1, kVector>(table);
    } else if constexpr (kVector > 1) {
      Fill<MaxRows(kVector - 1), kVector - 1>(table);
    }
  }
  static constexpr Table Make() {
    Table table{};
    Fill<MaxRows(kMost), kMost>(table);
    return table;
  }
  static constexpr Table kTable = Make();
};

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
