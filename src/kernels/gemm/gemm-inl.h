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
  static double Cost(const GemmShape& s) { return Blocks<T>::Cost(s.m, s.n, s.k); }
  static int64_t PanelCount(const GemmShape& s) { return Panels<T>{s.n, s.k}.count(); }
  static int64_t PackedBytes(const GemmShape& s) { return Panels<T>{s.n, s.k}.bytes(); }
  static Blocks<T> BlocksOf(const GemmShape& s) { return {s.m, s.n, s.k, s.m * s.k * 4}; }
  static int64_t Tasks(const GemmShape& s) { return BlocksOf(s).tasks(); }
  static int64_t ScratchBytes(const GemmShape&) { return 0; }

  static void Pack(const GemmShape& s, GemmB order, const float* b, int64_t ldb, const float* bias,
                   int64_t panel_begin, int64_t panel_end, void* packed) noexcept {
    const bool kn = order == GemmB::kKN;
    Panels<T>{s.n, s.k}.Pack(b, kn ? ldb : 1, kn ? 1 : ldb, bias, {panel_begin, panel_end},
                             static_cast<float*>(packed));
  }

  static void Run(const GemmArgs& args, int64_t task_begin, int64_t task_end, void*) noexcept {
    const Blocks<T> blocks = BlocksOf(args.shape);
    for (int64_t task = task_begin; task < task_end; ++task) {
      const Range panels = blocks.panels_of(task), tiles = blocks.tiles_of(task);
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
    const int64_t n0 = panel * T::kColumns;
    const float* rows[T::kRows];
    TileArgs tile{.rows = rows,
                  .segments = 1,
                  .k = args.shape.k,
                  .bias = nullptr,
                  .panel = nullptr,
                  .panel_stride = 0,
                  .columns = 0,
                  .out = {.c = nullptr,
                          .ldc = args.ldc,
                          .residual = nullptr,
                          .ldr = args.ldr,
                          .activation = args.activation}};
    const int64_t vectors = panels.Select(static_cast<const float*>(args.packed), panel, tile);
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
