// Weight gradients of dense and grouped convolutions, compiled per ISA: include after
// kernels/simd/<isa>.h.
//
// dw is a matrix of output channels by columns (ky, kx, channel): dyᵀ times the image's columns. A
// task owns a block of dw that stays in the second cache and a part of the pixels. Of these it
// takes some at a time and copies their dy, because rows that lie far apart suit no cache. For each
// panel of columns it then gathers what the taps read, zeros outside of the image, and all its rows
// pass by while that stays in the first cache. Where several parts share a block of dw, the first
// one's sums go into dw and those of others into the partial sums.
#pragma once

#include "kernels/convgrad/convgrad.h"
#include "kernels/convgrad/gather-inl.h"
#include "kernels/convgrad/parts-inl.h"
#include "kernels/convgrad/tile-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

// How dw of one group is cut into blocks and the pixels into parts.
template <typename T>
struct GradPlan {
  int64_t rows, columns, row_tiles, panels, row_blocks, panel_blocks, blocks, parts;

  explicit GradPlan(const ConvShape& s) {
    constexpr int64_t kBlockRows = 128, kBlockFloats = 1 << 16;
    constexpr int64_t kTasks = 32, kPartPixels = 256, kPartMacs = 1 << 20;
    rows = s.group_out(), columns = s.kernel_h * s.kernel_w * s.group_in();
    row_tiles = CeilDiv(rows, T::kRows), panels = CeilDiv(columns, T::kColumns);
    row_blocks = CeilDiv(row_tiles, MaxInt(1, kBlockRows / T::kRows));
    const int64_t block_panels = kBlockFloats / (MaxInt(1, block_rows()) * T::kColumns);
    panel_blocks = CeilDiv(panels, MaxInt(1, block_panels));
    blocks = s.groups * row_blocks * panel_blocks;
    const int64_t macs = s.pixels() * s.out_c * columns;
    const int64_t most = MinInt(s.pixels() / kPartPixels, macs / kPartMacs / MaxInt(1, blocks));
    parts = MaxInt(1, MinInt(CeilDiv(kTasks, MaxInt(1, blocks)), most));
  }
  int64_t tasks() const { return blocks * parts; }
  int64_t block_rows() const { return CeilDiv(row_tiles, MaxInt(1, row_blocks)) * T::kRows; }
};

template <typename T>
struct DenseGrad {
  // A panel of columns of so many pixels takes half of the first cache.
  static constexpr int64_t kPixels = 4096 / T::kColumns;

  static bool Supports(const ConvShape&) { return true; }
  static double Cost(const ConvShape& s) {
    const double pixel = OuterProductCycles(s.group_out(), s.kernel_h * s.kernel_w * s.group_in());
    return static_cast<double>(s.pixels() * s.groups) * pixel;
  }
  static int64_t PartialBytes(const ConvShape& s) {
    return PartSum(s, GradPlan<T>(s).parts).bytes();
  }
  static int64_t Tasks(const ConvShape& s) { return GradPlan<T>(s).tasks(); }
  // The panel, then dy with an odd number of cache lines a row.
  static int64_t DyStep(const GradPlan<T>& plan) {
    return RoundUp(plan.block_rows(), 2 * kAlignment / 4) + kAlignment / 4;
  }
  static int64_t ScratchBytes(const ConvShape& s) {
    return kPixels * (T::kColumns + DyStep(GradPlan<T>(s))) * 4;
  }

  static void Run(const ConvGradArgs& args, int64_t task_begin, int64_t task_end,
                  void* scratch) noexcept {
    const GradPlan<T> plan(args.shape);
    for (int64_t task = task_begin; task < task_end; ++task) {
      RunBlock(args, plan, task / plan.blocks, task % plan.blocks, static_cast<float*>(scratch));
    }
  }

  static int64_t SumTasks(const ConvShape& s) { return PartSum(s, GradPlan<T>(s).parts).tasks(); }
  static void Sum(const ConvGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    PartSum(args.shape, GradPlan<T>(args.shape).parts).Run(args, task_begin, task_end);
  }

 private:
  // What a task works on at a time.
  struct Work {
    int64_t group;
    Range tiles, pixels;
    bool adds;
    float *dw, *panel, *dy;
  };

  static void RunBlock(const ConvGradArgs& args, const GradPlan<T>& plan, int64_t part,
                       int64_t block, float* scratch) noexcept {
    const ConvShape& s = args.shape;
    const int64_t row_block = block / plan.panel_blocks % plan.row_blocks;
    const Range panels = PartOf(plan.panels, plan.panel_blocks, block % plan.panel_blocks);
    const Range pixels = PartOf(s.pixels(), plan.parts, part);
    Work work{.group = block / (plan.row_blocks * plan.panel_blocks),
              .tiles = PartOf(plan.row_tiles, plan.row_blocks, row_block),
              .pixels = {},
              .adds = false,
              .dw = PartSum(s, plan.parts).of(args, part),
              .panel = scratch,
              .dy = scratch + kPixels * T::kColumns};
    work.dw += work.group * plan.rows * plan.columns;
    const int64_t steps = MaxInt(1, CeilDiv(pixels.size(), kPixels));
    for (int64_t step = 0; step < steps; ++step, work.adds = true) {
      const Range now = PartOf(pixels.size(), steps, step);
      work.pixels = {pixels.begin + now.begin, pixels.begin + now.end};
      CopyDy(args, plan, work);
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        RunPanel(args, plan, work, panel);
      }
    }
  }

  static Range RowsOf(const GradPlan<T>& plan, Range tiles) {
    return {PartOf(plan.rows, plan.row_tiles, tiles.begin).begin,
            PartOf(plan.rows, plan.row_tiles, tiles.end - 1).end};
  }

  static void CopyDy(const ConvGradArgs& args, const GradPlan<T>& plan, const Work& work) noexcept {
    const Range rows = RowsOf(plan, work.tiles);
    const int64_t step = args.shape.out_stride;
    CopyRows({.rows = work.pixels.size(),
              .count = rows.size(),
              .to = work.dy,
              .to_step = DyStep(plan),
              .from = args.dy + work.pixels.begin * step + work.group * plan.rows + rows.begin,
              .from_step = step});
  }

  static void RunPanel(const ConvGradArgs& args, const GradPlan<T>& plan, const Work& work,
                       int64_t panel) noexcept {
    const ConvShape& s = args.shape;
    const int64_t n0 = panel * T::kColumns, columns = MinInt(T::kColumns, plan.columns - n0);
    const int64_t vectors = T::VectorsOf(columns), width = vectors * kLanes;
    GatherColumns(s, args.x + work.group * s.group_in(), work.pixels, {n0, n0 + columns},
                  work.panel, width);
    GradTileArgs tile{.pixels = work.pixels.size(),
                      .dy = nullptr,
                      .dy_step = DyStep(plan),
                      .x = work.panel,
                      .x_step = width,
                      .dw = nullptr,
                      .dw_step = plan.columns,
                      .columns = columns,
                      .adds = work.adds};
    const int64_t first = RowsOf(plan, work.tiles).begin;
    for (int64_t t = work.tiles.begin; t < work.tiles.end; ++t) {
      const Range rows = PartOf(plan.rows, plan.row_tiles, t);
      tile.dy = work.dy + (rows.begin - first);
      tile.dw = work.dw + rows.begin * plan.columns + n0;
      T::Find(rows.size(), vectors)(tile);
    }
  }
};

template <typename T>
constexpr ConvGradKernel MakeDenseGrad() {
  using G = DenseGrad<T>;
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
