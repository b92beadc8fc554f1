// The register tile of quantized products, compiled per ISA: include after kernels/simd/<isa>.h.
//
// A tile is kRows output pixels by kVectors vectors of channels, its int32 sums in registers. A
// step broadcasts four bytes of each row (four u8, or two s16 of a widened row) against kLanes · 4
// bytes of weights.
#pragma once

#include "kernels/qconv/qconv.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

// Where finished sums go: `raw` (if set) takes the int32 sums of the tile, kVectors · kLanes to a
// row; else they become u8.
struct TileOut {
  int32_t* raw;
  uint8_t* y;
  int64_t y_stride;
  const uint8_t* residual;  // or null
  int64_t r_stride;
  float lo, hi;  // bounds of y - y_zero_point
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
  int64_t channels;  // valid ones, 1 … kVectors · kLanes
  TileOut out;
};

template <int kRows, int kVectors>
PARE_INLINE void StoreRaw(I32 (&acc)[kRows][kVectors], int32_t* raw) {
  PARE_UNROLL for (int r = 0; r < kRows; ++r) {
    PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
      Store(raw + (r * kVectors + v) * kLanes, acc[r][v]);
    }
  }
}

template <int kRows, int kVectors, bool kResidual>
PARE_INLINE void StoreU8Tile(I32 (&acc)[kRows][kVectors], const TileArgs& args) {
  const TileOut& o = args.out;
  const F32 lo = Set(o.lo), hi = Set(o.hi), residual_scale = Set(o.residual_scale);
  const I32 zero_point = Set(o.y_zero_point), residual_zero_point = Set(o.residual_zero_point);
  PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
    const int64_t left = args.channels - v * kLanes;
    if (left <= 0) return;
    const F32 scale = Load(args.scale + v * kLanes);
    const bool whole = left >= kLanes;
    const Tail tail = FirstN(left);
    PARE_UNROLL for (int r = 0; r < kRows; ++r) {
      F32 x = Mul(ToFloat(acc[r][v]), scale);
      if constexpr (kResidual) {
        const uint8_t* from = o.residual + r * o.r_stride + v * kLanes;
        const I32 added = Sub(whole ? LoadU8(from) : LoadU8(from, tail), residual_zero_point);
        x = Add(x, Mul(ToFloat(added), residual_scale));
      }
      const I32 y = Add(ToInt(Min(Max(x, lo), hi)), zero_point);
      uint8_t* to = o.y + r * o.y_stride + v * kLanes;
      if (whole) {
        StoreU8(to, y);
      } else {
        StoreU8(to, y, tail);
      }
    }
  }
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

template <class Dot, int kRows, int kVectors>
void RunTile(const TileArgs& args) noexcept {
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

// How many rows fit beside `vectors` vectors, so that sums, weights and a broadcast fill the
// registers.
constexpr int64_t MaxRows(int64_t vectors) {
  if (kLanes == 8) return vectors <= 2 ? 6 : vectors == 3 ? 4 : 3;  // 16 registers
  return vectors <= 2 ? 12 : vectors == 3 ? 8 : 6;                  // 32
}
constexpr int kMaxVectors = 4;

template <class Dot>
struct Tiles {
  using Function = void (*)(const TileArgs&) noexcept;

  static Function Find(int64_t rows, int64_t vectors) { return kTable.of[vectors - 1][rows - 1]; }

 private:
  struct Table {
    Function of[kMaxVectors][MaxRows(1)];
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
    Fill<MaxRows(kMaxVectors), kMaxVectors>(table);
    return table;
  }
  static constexpr Table kTable = Make();
};

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
