// The matrix product, compiled per ISA: include after kernels/simd/<isa>.h.
//
// B is cut into panels (tile-inl.h). A task owns some rows of C and some panels: the panel is the
// outer loop, so that it stays in the first cache while the rows of A, which stay in the second,
// pass by.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/gemm/tile-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

template <typename T>
struct Gemm {
  static bool Supports(const GemmShape&) { return true; }

  static int64_t PanelCount(const GemmShape& s) { return Panels<T>{s.n, s.k}.count(); }
  static int64_t PackedBytes(const GemmShape& s) { return Panels<T>{s.n, s.k}.bytes(); }

  // Two vectors of multiply-adds a cycle; short tiles are bound by loading B.
  static double Cost(const GemmShape& s) {
    const Blocks blocks(s);
    const double rows = static_cast<double>(MaxInt(s.m, blocks.row_tiles * 4));
    return rows * static_cast<double>(s.k + 8) * static_cast<double>(CeilDiv(s.n, kLanes)) * 0.5;
  }

  static void Pack(const GemmShape& s, GemmB order, const float* b, int64_t ldb, const float* bias,
                   int64_t panel_begin, int64_t panel_end, void* packed) noexcept {
    const Panels<T> panels{s.n, s.k};
    const int64_t to_next_k = order == GemmB::kKN ? ldb : 1;
    const int64_t to_next_n = order == GemmB::kKN ? 1 : ldb;
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      float* out = static_cast<float*>(packed) + panels.offset(panel);
      const int64_t columns = panels.columns(panel), width = panels.width(panel);
      const int64_t n0 = panel * T::kColumns;
      for (int64_t j = 0; j < width; ++j) out[j] = bias && j < columns ? bias[n0 + j] : 0.0f;
      out += width;
      const float* from = b + n0 * to_next_n;
      for (int64_t i = 0; i < s.k; ++i, out += width, from += to_next_k) {
        for (int64_t j = 0; j < columns; ++j) out[j] = from[j * to_next_n];
        for (int64_t j = columns; j < width; ++j) out[j] = 0.0f;
      }
    }
  }

  // How C is cut into tasks of about a million multiply-adds: tall rather than wide, because every
  // task reads its panels, but no taller than what of A stays in the second cache.
  struct Blocks {
    int64_t row_tiles, panels, row_blocks, panel_blocks;

    explicit Blocks(const GemmShape& s) {
      constexpr int64_t kTaskMacs = 1 << 20, kBytesOfA = 192 << 10;
      row_tiles = CeilDiv(s.m, T::kRows);
      panels = CeilDiv(s.n, T::kColumns);
      const int64_t k = MaxInt(s.k, 1);
      const int64_t tiles_a_task = MaxInt(1, kTaskMacs / (T::kRows * T::kColumns * k));
      const int64_t rows_a_task = MaxInt(1, MinInt(tiles_a_task, kBytesOfA / (T::kRows * k * 4)));
      row_blocks = CeilDiv(row_tiles, rows_a_task);
      const int64_t rows_used = row_tiles > 0 ? CeilDiv(row_tiles, row_blocks) : 1;
      panel_blocks = CeilDiv(panels, MaxInt(1, tiles_a_task / rows_used));
    }
  };

  static int64_t Tasks(const GemmShape& s) {
    const Blocks blocks(s);
    return blocks.row_blocks * blocks.panel_blocks;
  }
  static int64_t ScratchBytes(const GemmShape&) { return 0; }

  static void Run(const GemmArgs& args, int64_t task_begin, int64_t task_end, void*) noexcept {
    const Blocks blocks(args.shape);
    for (int64_t task = task_begin; task < task_end; ++task) {
      const Range panels = PartOf(blocks.panels, blocks.panel_blocks, task % blocks.panel_blocks);
      const Range tiles = PartOf(blocks.row_tiles, blocks.row_blocks, task / blocks.panel_blocks);
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        RunPanel(args, blocks.row_tiles, tiles, panel);
      }
    }
  }

 private:
  // Leftover rows are spread over all tiles: 49 rows are tiles of 12 and 13, not 14, 14, 14 and 7.
  static void RunPanel(const GemmArgs& args, int64_t row_tiles, Range tiles,
                       int64_t panel) noexcept {
    const Panels<T> panels{args.shape.n, args.shape.k};
    const int64_t n0 = panel * T::kColumns, vectors = panels.width(panel) / kLanes;
    const float* rows[T::kRows];
    TileArgs tile{.rows = rows,
                  .segments = 1,
                  .k = args.shape.k,
                  .panel = static_cast<const float*>(args.packed) + panels.offset(panel),
                  .columns = panels.columns(panel),
                  .out = {.c = nullptr,
                          .ldc = args.ldc,
                          .residual = nullptr,
                          .ldr = args.ldr,
                          .activation = args.activation}};
    for (int64_t t = tiles.begin; t < tiles.end; ++t) {
      const Range m = PartOf(args.shape.m, row_tiles, t);
      for (int64_t r = 0; r < m.size(); ++r) rows[r] = args.a + (m.begin + r) * args.lda;
      tile.out.c = args.c + m.begin * args.ldc + n0;
      if (args.residual) tile.out.residual = args.residual + m.begin * args.ldr + n0;
      T::Find(m.size(), vectors)(tile);
    }
  }
};

template <typename T>
constexpr GemmKernel MakeGemm() {
  using G = Gemm<T>;
  return {.supports = G::Supports,
          .cost = G::Cost,
          .panels = G::PanelCount,
          .packed_bytes = G::PackedBytes,
          .pack = G::Pack,
          .tasks = G::Tasks,
          .scratch_bytes = G::ScratchBytes,
          .run = G::Run};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
