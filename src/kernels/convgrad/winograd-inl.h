// Weight gradients of 3×3 convolutions of stride 1 by Winograd's F(4×4, 3×3), compiled per ISA:
// include after kernels/simd/<isa>.h. The forward form is (conv/winograd-inl.h)
//   y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A  for each tile of 4×4 outputs,
// so that its gradient by the weights is
//   dg = Gᵀ [ Σ over tiles of (A dy Aᵀ) ⊙ (Bᵀ d B) ] G,
// where the elementwise product is 36 outer products of channels, 2.25 multiplications an output
// instead of 9. A task owns a block of channels by channels and a part of the tiles: it transforms
// some tiles at a time and adds their products to sums in the transformed domain, which stay in the
// second cache, and transforms these back at its end.
#pragma once

#include "kernels/conv/winograd_transforms-inl.h"
#include "kernels/convgrad/convgrad.h"
#include "kernels/convgrad/parts-inl.h"
#include "kernels/convgrad/tile-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

template <typename T>
struct WinogradGrad {
  static constexpr int64_t kMinChannels = 16;  // below, the transforms cost more than they save
  static constexpr int64_t kBlockChannels = 64;
  static constexpr int64_t kTiles = 32;  // at a time

  static bool Supports(const ConvShape& s) {
    return s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == 1 && s.stride_w == 1 &&
           s.dilation_h == 1 && s.dilation_w == 1 && s.groups == 1 && s.in_c >= kMinChannels &&
           s.out_c >= kMinChannels;
  }

  struct Plan {
    int64_t tiles_h, tiles_w, tiles, row_blocks, column_blocks, parts;
    // In floats: from one tile or output channel to the next, and from one of the 36 planes to the
    // next, of the transformed gradients W and inputs V and of the sums U. The padding keeps the
    // planes apart in the sets of the first cache.
    int64_t w_row, v_row, w_plane, v_plane, u_plane;

    explicit Plan(const ConvShape& s) {
      constexpr int64_t kTasks = 16, kPartTiles = 128;
      tiles_h = CeilDiv(s.out_h, 4), tiles_w = CeilDiv(s.out_w, 4);
      tiles = s.batch * tiles_h * tiles_w;
      row_blocks = CeilDiv(s.out_c, kBlockChannels);
      column_blocks = CeilDiv(s.in_c, kBlockChannels);
      parts = MaxInt(1, MinInt(CeilDiv(kTasks, row_blocks * column_blocks), tiles / kPartTiles));
      w_row = RoundUp(CeilDiv(s.out_c, row_blocks), kLanes);
      v_row = RoundUp(CeilDiv(s.in_c, column_blocks), kLanes);
      w_plane = kTiles * w_row + 16;
      v_plane = kTiles * v_row + 16;
      u_plane = w_row * v_row + 16;
    }
    int64_t blocks() const { return row_blocks * column_blocks; }
    int64_t zeros() const { return MaxInt(w_row, v_row); }
  };

  // The products and the transforms of both operands, in cycles.
  static double Cost(const ConvShape& s) {
    const Plan p(s);
    const double tiles = static_cast<double>(p.tiles), planes = static_cast<double>(kPlanes);
    const double vectors = static_cast<double>(p.blocks() * (p.v_row + p.w_row) / kLanes);
    const double back = static_cast<double>(p.parts * s.out_c * CeilDiv(s.in_c, kLanes));
    return tiles * planes * OuterProductCycles(s.out_c, s.in_c) + 160.0 * (tiles * vectors + back);
  }
  static int64_t PartialBytes(const ConvShape& s) { return PartSum(s, Plan(s).parts).bytes(); }
  static int64_t Tasks(const ConvShape& s) { return Plan(s).blocks() * Plan(s).parts; }
  static int64_t ScratchBytes(const ConvShape& s) {
    const Plan p(s);
    return RoundUp((kPlanes * (p.w_plane + p.v_plane + p.u_plane) + p.zeros()) * 4, kAlignment);
  }

  static void Run(const ConvGradArgs& args, int64_t task_begin, int64_t task_end,
                  void* scratch) noexcept {
    const Plan p(args.shape);
    for (int64_t task = task_begin; task < task_end; ++task) {
      RunBlock(args, p, task / p.blocks(), task % p.blocks(), static_cast<float*>(scratch));
    }
  }

  static int64_t SumTasks(const ConvShape& s) { return PartSum(s, Plan(s).parts).tasks(); }
  static void Sum(const ConvGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    PartSum(args.shape, Plan(args.shape).parts).Run(args, task_begin, task_end);
  }

 private:
  // What a task works with: its output and input channels, and its memory.
  struct Block {
    Range rows, columns;
    float *w, *v, *u, *zeros;
  };

  static void RunBlock(const ConvGradArgs& args, const Plan& p, int64_t part, int64_t block,
                       float* scratch) noexcept {
    const ConvShape& s = args.shape;
    Block b{.rows = PartOf(s.out_c, p.row_blocks, block / p.column_blocks),
            .columns = PartOf(s.in_c, p.column_blocks, block % p.column_blocks),
            .w = scratch,
            .v = scratch + kPlanes * p.w_plane,
            .u = scratch + kPlanes * (p.w_plane + p.v_plane),
            .zeros = scratch + kPlanes * (p.w_plane + p.v_plane + p.u_plane)};
    for (int64_t i = 0; i < p.zeros(); ++i) b.zeros[i] = 0.0f;
    const Range tiles = PartOf(p.tiles, p.parts, part);
    const int64_t steps = MaxInt(1, CeilDiv(tiles.size(), kTiles));
    for (int64_t step = 0; step < steps; ++step) {
      const Range now = PartOf(tiles.size(), steps, step);
      for (int64_t t = 0; t < now.size(); ++t) ReadTile(args, p, b, tiles.begin + now.begin + t, t);
      Multiply(p, b, now.size(), step > 0);
    }
    WriteWeights(s, p, b, PartSum(s, p.parts).of(args, part));
  }

  static void ReadTile(const ConvGradArgs& args, const Plan& p, const Block& b, int64_t tile,
                       int64_t slot) noexcept {
    const ConvShape& s = args.shape;
    const int64_t image = tile / (p.tiles_h * p.tiles_w);
    const int64_t oy = tile / p.tiles_w % p.tiles_h * 4, ox = tile % p.tiles_w * 4;
    const float* pixels[kPlanes];
    const float* x = args.x + image * s.in_h * s.in_w * s.in_stride + b.columns.begin;
    PixelsOfTile({x, s.in_h, s.in_w, s.in_stride}, oy - s.pad_top, ox - s.pad_left, 6, b.zeros,
                 pixels);
    TransformChannels<TransformPixels>(pixels, b.columns.size(), b.v + slot * p.v_row, p.v_plane);
    const float* dy = args.dy + image * s.out_h * s.out_w * s.out_stride + b.rows.begin;
    PixelsOfTile({dy, s.out_h, s.out_w, s.out_stride}, oy, ox, 4, b.zeros, pixels);
    TransformChannels<TransformOutputGradient>(pixels, b.rows.size(), b.w + slot * p.w_row,
                                               p.w_plane);
  }

  static void Multiply(const Plan& p, const Block& b, int64_t tiles, bool adds) noexcept {
    const int64_t row_tiles = CeilDiv(b.rows.size(), T::kRows);
    const int64_t width = RoundUp(b.columns.size(), kLanes);
    for (int64_t plane = 0; plane < kPlanes; ++plane) {
      for (int64_t n = 0; n < width; n += T::kColumns) {
        const int64_t columns = MinInt(T::kColumns, width - n);
        for (int64_t t = 0; t < row_tiles; ++t) {
          const Range rows = PartOf(b.rows.size(), row_tiles, t);
          T::Find(rows.size(),
                  columns / kLanes)({.pixels = tiles,
                                     .dy = b.w + plane * p.w_plane + rows.begin,
                                     .dy_step = p.w_row,
                                     .x = b.v + plane * p.v_plane + n,
                                     .x_step = p.v_row,
                                     .dw = b.u + plane * p.u_plane + rows.begin * p.v_row + n,
                                     .dw_step = p.v_row,
                                     .columns = columns,
                                     .adds = adds});
        }
      }
    }
  }

  static void WriteWeights(const ConvShape& s, const Plan& p, const Block& b, float* dw) noexcept {
    const int64_t columns = b.columns.size(), whole = columns / kLanes * kLanes;
    for (int64_t o = 0; o < b.rows.size(); ++o) {
      const float* u = b.u + o * p.v_row;
      float* to = dw + (b.rows.begin + o) * 9 * s.in_c + b.columns.begin;
      for (int64_t i = 0; i < whole; i += kLanes) WriteVector(u + i, p.u_plane, to + i, s.in_c);
      if (whole < columns) {
        WriteVector(u + whole, p.u_plane, to + whole, s.in_c, FirstN(columns - whole));
      }
    }
  }

  // The nine taps of a vector of input channels, `tap` floats apart.
  template <typename... Tails>
  PARE_INLINE static void WriteVector(const float* u, int64_t plane, float* to, int64_t tap,
                                      Tails... tail) {
    F32 rows[3][6];
    PARE_UNROLL for (int x = 0; x < 6; ++x) {
      F32 column[6], t[3];
      PARE_UNROLL for (int y = 0; y < 6; ++y) column[y] = Load(u + (y * 6 + x) * plane);
      TransformWeightGradient(column, t);
      PARE_UNROLL for (int y = 0; y < 3; ++y) rows[y][x] = t[y];
    }
    PARE_UNROLL for (int y = 0; y < 3; ++y) {
      F32 t[3];
      TransformWeightGradient(rows[y], t);
      PARE_UNROLL for (int x = 0; x < 3; ++x) Store(to + (y * 3 + x) * tap, t[x], tail...);
    }
  }
};

template <typename T>
constexpr ConvGradKernel MakeWinogradGrad() {
  using G = WinogradGrad<T>;
  return {.supports = G::Supports,
          .cost = G::Cost,
          .partial_bytes = G::PartialBytes,
          .tasks = G::Tasks,
          .scratch_bytes = G::ScratchBytes,
          .run = G::Run,
          .sum_tasks = G::SumTasks,
          .sum = G::Sum};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
