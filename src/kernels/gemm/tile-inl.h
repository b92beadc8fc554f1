// The register tile of f32 products, shared by gemm, conv and attention; compiled per ISA: include
// after kernels/simd/<isa>.h.
//
// A tile is kRows rows of C by kVectors vectors of columns. Its sums stay in registers while it
// walks k: per k one broadcast of A for each row, and one load of each vector of B, whose panel
// lies in the order of use.
#pragma once

#include "kernels/simd/activation-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

// Where finished rows go.
struct TileOut {
  float* c;
  int64_t ldc;
  const float* residual;  // or null
  int64_t ldr;
  Activation activation;
};

struct TileArgs {
  // rows[s · kRows + r] is row r's first element in segment s. A segment is k long; the panel goes
  // on over segments. A product has one segment; a k×k convolution one per tap.
  const float* const* rows;
  int64_t segments;
  int64_t k;
  const float* bias;   // [kVectors · kLanes], where the sums start
  const float* panel;  // B: [segments · k] rows of kVectors · kLanes, panel_stride apart
  int64_t panel_stride;
  int64_t columns;  // valid ones, 1 … kVectors · kLanes
  TileOut out;
};

template <int kRows, int kVectors>
PARE_INLINE void StoreTile(F32 (&acc)[kRows][kVectors], const TileOut& out, int64_t columns) {
  const F32 lo = Set(out.activation.clamp_lo()), hi = Set(out.activation.clamp_hi());
  if (columns == kVectors * kLanes) {
    if (out.residual) {
      PARE_UNROLL for (int r = 0; r < kRows; ++r) {
        PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
          acc[r][v] = Add(acc[r][v], Load(out.residual + r * out.ldr + v * kLanes));
        }
      }
    }
    PARE_UNROLL for (int r = 0; r < kRows; ++r) {
      PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
        Store(out.c + r * out.ldc + v * kLanes, Clamp(acc[r][v], lo, hi));
      }
    }
  } else {
    PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
      const int64_t left = columns - v * kLanes;
      const Tail tail = FirstN(left > 0 ? left : 0);
      PARE_UNROLL for (int r = 0; r < kRows; ++r) {
        F32 x = acc[r][v];
        if (out.residual) x = Add(x, Load(out.residual + r * out.ldr + v * kLanes, tail));
        Store(out.c + r * out.ldc + v * kLanes, Clamp(x, lo, hi), tail);
      }
    }
  }
  if (!out.activation.is_clamp()) ActivateRows(out.activation, out.c, out.ldc, kRows, columns);
}

// One k of a tile.
template <int kRows, int kVectors>
PARE_INLINE void AddProducts(F32 (&acc)[kRows][kVectors], const float* const (&a)[kRows], int64_t i,
                             const float* b) {
  F32 bv[kVectors];
  PARE_UNROLL for (int v = 0; v < kVectors; ++v) bv[v] = Load(b + v * kLanes);
  PARE_UNROLL for (int r = 0; r < kRows; ++r) {
    const F32 av = Set(a[r][i]);
    PARE_UNROLL for (int v = 0; v < kVectors; ++v) acc[r][v] = Fma(av, bv[v], acc[r][v]);
  }
}

template <int kRows, int kVectors>
void RunTile(const TileArgs& args) noexcept {
  // A small tile has too few sums to hide the latency of a multiply-add: it keeps several partial
  // ones.
  constexpr int kChains = kRows * kVectors >= 8 ? 1 : kRows * kVectors >= 4 ? 2 : 4;
  const float* b = args.panel;
  F32 acc[kChains][kRows][kVectors];
  PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
    const F32 bias = Load(args.bias + v * kLanes);
    PARE_UNROLL for (int r = 0; r < kRows; ++r) acc[0][r][v] = bias;
    PARE_UNROLL for (int c = 1; c < kChains; ++c) {
      PARE_UNROLL for (int r = 0; r < kRows; ++r) acc[c][r][v] = Zero();
    }
  }
  for (int64_t s = 0; s < args.segments; ++s) {
    const float* a[kRows];
    PARE_UNROLL for (int r = 0; r < kRows; ++r) a[r] = args.rows[s * kRows + r];
    int64_t i = 0;
    if constexpr (kChains > 1) {
      for (; i + kChains <= args.k; i += kChains) {
        PARE_UNROLL for (int c = 0; c < kChains; ++c) {
          AddProducts(acc[c], a, i + c, b);
          b += args.panel_stride;
        }
      }
    }
    for (; i < args.k; ++i, b += args.panel_stride) AddProducts(acc[0], a, i, b);
  }
  PARE_UNROLL for (int c = 1; c < kChains; ++c) {
    PARE_UNROLL for (int r = 0; r < kRows; ++r) {
      PARE_UNROLL for (int v = 0; v < kVectors; ++v) acc[0][r][v] = Add(acc[0][r][v], acc[c][r][v]);
    }
  }
  StoreTile<kRows, kVectors>(acc[0], args.out, args.columns);
}

template <int kRows, int kVectors>
struct ProductTile {
  static constexpr auto kRun = RunTile<kRows, kVectors>;
};

// kMaxRows: the tallest tile of this ISA, kMaxVectors: the widest; both chosen so that the sums,
// one row of B and a broadcast fill the registers.
template <int kMaxRows, int kMaxVectors, typename Args = TileArgs,
          template <int, int> typename Tile = ProductTile>
struct Tiles {
  using Function = void (*)(const Args&) noexcept;
  static constexpr int kRows = kMaxRows;
  static constexpr int kColumns = kMaxVectors * kLanes;

  // The last panel is as narrow as its columns allow.
  static constexpr int64_t VectorsOf(int64_t columns) {
    return columns > kColumns ? kMaxVectors : CeilDiv(columns, kLanes);
  }

  static Function Find(int64_t rows, int64_t vectors) { return kTable.of[rows - 1][vectors - 1]; }

 private:
  struct Table {
    Function of[kMaxRows][kMaxVectors];
  };
  template <int kRow, int kVector>
  static constexpr void Fill(Table& table) {
    table.of[kRow - 1][kVector - 1] = Tile<kRow, kVector>::kRun;
    if constexpr (kVector > 1) {
      Fill<kRow, kVector - 1>(table);
    } else if constexpr (kRow > 1) {
      Fill<kRow - 1, kMaxVectors>(table);
    }
  }
  static constexpr Table Make() {
    Table table{};
    Fill<kMaxRows, kMaxVectors>(table);
    return table;
  }
  static constexpr Table kTable = Make();
};

// 28, 12 or 20 sums; the rest of the 32, 16 or 32 registers hold a row of B and broadcasts.
using F32Tiles = Tiles<kLanes == 16 ? 14 : kLanes == 8 ? 6 : 5, kLanes == 4 ? 4 : 2>;

// Panels of a [k, n] matrix: kColumns columns each, the last narrower, one after the other. A panel
// is its bias and then its k rows.
template <typename T>
struct Panels {
  int64_t n, k;

  int64_t count() const { return CeilDiv(n, T::kColumns); }
  int64_t offset(int64_t panel) const { return panel * T::kColumns * (k + 1); }  // in floats
  int64_t columns(int64_t panel) const { return MinInt(T::kColumns, n - panel * T::kColumns); }
  int64_t width(int64_t panel) const { return T::VectorsOf(columns(panel)) * kLanes; }
  // Sets what a tile takes of a panel; returns the tile's width in vectors.
  int64_t Select(const float* packed, int64_t panel, TileArgs& tile) const {
    tile.bias = packed + offset(panel);
    tile.panel = tile.bias + width(panel);
    tile.panel_stride = width(panel);
    tile.columns = columns(panel);
    return width(panel) / kLanes;
  }
  int64_t bytes() const {
    if (n == 0) return 0;
    const int64_t last = count() - 1;
    return RoundUp((offset(last) + width(last) * (k + 1)) * int64_t{sizeof(float)}, kAlignment);
  }

  // b[i · to_next_k + j · to_next_n] is the element of row i and column j; bias is [n] or null.
  void Pack(const float* b, int64_t to_next_k, int64_t to_next_n, const float* bias, Range panels,
            float* packed) const {
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      float* out = PackBias(bias, panel, packed);
      PackRows(b + panel * T::kColumns * to_next_n, {k, to_next_k, to_next_n}, panel, out);
    }
  }

  // Writes a panel's bias; returns where its rows begin.
  float* PackBias(const float* bias, int64_t panel, float* packed) const {
    float* out = packed + offset(panel);
    const int64_t valid = columns(panel), all = width(panel), n0 = panel * T::kColumns;
    for (int64_t j = 0; j < all; ++j) out[j] = bias && j < valid ? bias[n0 + j] : 0.0f;
    return out + all;
  }

  // Some rows of a panel; `from` is the first element, columns past the last are zeros.
  struct Rows {
    int64_t count, to_next_k, to_next_n;
  };
  void PackRows(const float* from, const Rows& rows, int64_t panel, float* out) const {
    constexpr int64_t kRowsAhead = 16;
    const int64_t valid = columns(panel), all = width(panel);
    const int64_t in_squares = rows.to_next_k == 1 ? PackSquares(from, rows, valid, all, out) : 0;
    for (int64_t i = 0; i < rows.count; ++i, out += all, from += rows.to_next_k) {
      const int64_t done = i < rows.count - rows.count % kTransposeSize ? in_squares : 0;
      if (rows.to_next_n == 1) {
        // The hardware does not foresee lines that lie a row of the matrix apart.
        Prefetch(from + kRowsAhead * rows.to_next_k);
        int64_t j = done;
        for (; j + kLanes <= valid; j += kLanes) Store(out + j, Load(from + j));
        for (; j < valid; ++j) out[j] = from[j];
      } else {
        for (int64_t j = done; j < valid; ++j) out[j] = from[j * rows.to_next_n];
      }
      for (int64_t j = valid; j < all; ++j) out[j] = 0.0f;
    }
  }

  // The whole squares of a panel whose columns lie as rows of k; returns how many columns they
  // cover.
  static int64_t PackSquares(const float* from, const Rows& rows, int64_t valid, int64_t all,
                             float* out) {
    const int64_t to_next_n = rows.to_next_n, whole = valid - valid % kTransposeSize;
    for (int64_t i = 0; i + kTransposeSize <= rows.count; i += kTransposeSize) {
      for (int64_t j = 0; j < whole; j += kTransposeSize) {
        Transpose(from + j * to_next_n + i, to_next_n, out + i * all + j, all);
      }
    }
    return whole;
  }
};

// How C[m, n] is cut into tasks of about a million multiply-adds, of a large product up to eight:
// the larger a task, the less it reads for each of them. A task takes all panels where these are
// few, so that rows of A are visited once; else it is about as tall as wide, at least some tiles,
// but no taller than what of A stays in the second cache. Neighbouring tasks share
// their panels where all of A stays there, else their rows of A. `a_bytes` is the memory behind A,
// which is less than m · k where rows overlap.
template <typename T>
struct Blocks {
  int64_t row_tiles, panels, row_blocks, panel_blocks;
  bool a_stays;

  Blocks(int64_t m, int64_t n, int64_t k, int64_t a_bytes) {
    constexpr int64_t kLeastMacs = 1 << 20, kMostMacs = 8 << 20, kTasks = 64;
    constexpr int64_t kCacheForA = 192 << 10, kTallEnough = 8;
    k = MaxInt(k, 1);
    const int64_t macs = MaxInt(kLeastMacs, MinInt(kMostMacs, m * n * k / kTasks));
    row_tiles = CeilDiv(m, T::kRows);
    panels = CeilDiv(n, T::kColumns);
    a_stays = a_bytes <= kCacheForA;
    const int64_t tiles = MaxInt(1, macs / (T::kRows * T::kColumns * k));
    const int64_t tile_bytes = a_bytes / MaxInt(row_tiles, 1) + 1;
    int64_t square = kTallEnough;  // tiles one above the other of a task as tall as wide
    while (square * square * T::kRows < tiles * T::kColumns) square += kTallEnough;
    const int64_t tall = MinInt(tiles, MaxInt(square, tiles / MaxInt(panels, 1)));
    row_blocks = CeilDiv(row_tiles, MaxInt(1, MinInt(tall, kCacheForA / tile_bytes)));
    const int64_t rows_used = row_blocks > 0 ? CeilDiv(row_tiles, row_blocks) : 1;
    panel_blocks = CeilDiv(panels, MaxInt(1, tiles / rows_used));
  }
  int64_t tasks() const { return row_blocks * panel_blocks; }
  // The most row tiles that a task has.
  int64_t tiles_a_task() const { return row_blocks > 0 ? CeilDiv(row_tiles, row_blocks) : 0; }
  Range tiles_of(int64_t task) const {
    return PartOf(row_tiles, row_blocks, a_stays ? task % row_blocks : task / panel_blocks);
  }
  Range panels_of(int64_t task) const {
    return PartOf(panels, panel_blocks, a_stays ? task / row_blocks : task % panel_blocks);
  }

  // Two vectors of multiply-adds a cycle, of 16 lanes rather one (there are CPUs of both kinds);
  // short tiles are bound by loading B.
  static double Cost(int64_t m, int64_t n, int64_t k) {
    const int64_t rows = MaxInt(m, CeilDiv(m, T::kRows) * 4);
    return (kLanes == 16 ? 0.8 : 0.5) * static_cast<double>(rows * (k + 8) * CeilDiv(n, kLanes));
  }
};

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
