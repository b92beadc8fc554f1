// Transposed convolution, compiled per ISA: include after kernels/simd/<isa>.h.
//
// Output pixels whose coordinates are equal modulo the stride (a *phase*) see the same taps, each
// at a fixed distance in the input: a phase is an ordinary convolution of a coarser image, done by
// pointers to pixels as in conv/indirect-inl.h, and cut into tasks like any product. Only its
// output pixels lie apart: a tile of several lines is stored by way of a small buffer.
#pragma once

#include "kernels/deconv/deconv.h"
#include "kernels/gemm/tile-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

// One dimension. Output o takes tap `at` from input (o + pad - at · dilation) / stride where that
// is whole.
struct DeconvAxis {
  int64_t stride, dilation, pad, kernel;

  static DeconvAxis Y(const ConvShape& s) {
    return {s.stride_h, s.dilation_h, s.pad_top, s.kernel_h};
  }
  static DeconvAxis X(const ConvShape& s) {
    return {s.stride_w, s.dilation_w, s.pad_left, s.kernel_w};
  }
  bool has(int64_t o, int64_t at) const { return (o + pad - at * dilation) % stride == 0; }
  int64_t input(int64_t o, int64_t at) const { return (o + pad - at * dilation) / stride; }
  int64_t taps(int64_t phase) const {
    int64_t count = 0;
    for (int64_t at = 0; at < kernel; ++at) count += has(phase, at);
    return count;
  }
};

template <typename T>
struct Deconv {
  static bool Supports(const ConvShape&) { return true; }

  static Panels<T> PanelsOf(const ConvShape& s, int64_t py, int64_t px) {
    return {s.group_out(), DeconvAxis::Y(s).taps(py) * DeconvAxis::X(s).taps(px) * s.group_in()};
  }
  // Floats before phase (py, px) of a group; past the last phase, those of the whole group.
  static int64_t OffsetOf(const ConvShape& s, int64_t py, int64_t px) {
    int64_t floats = 0;
    for (int64_t i = 0; i < py * s.stride_w + px; ++i) {
      floats += PanelsOf(s, i / s.stride_w, i % s.stride_w).bytes() / 4;
    }
    return floats;
  }
  static int64_t GroupFloats(const ConvShape& s) { return OffsetOf(s, s.stride_h, 0); }
  static int64_t PackedBytes(const ConvShape& s) { return s.groups * GroupFloats(s) * 4; }

  // Panels of all phases of all groups, in the order in which they lie.
  static int64_t GroupPanels(const ConvShape& s) {
    return s.stride_h * s.stride_w * CeilDiv(s.group_out(), T::kColumns);
  }
  static int64_t PanelCount(const ConvShape& s) { return s.groups * GroupPanels(s); }
  static void Pack(const ConvShape& s, const ConvWeights& weights, const float* bias,
                   int64_t panel_begin, int64_t panel_end, void* packed) noexcept {
    const int64_t phase_panels = CeilDiv(s.group_out(), T::kColumns);
    for (int64_t i = panel_begin; i < panel_end; ++i) {
      const int64_t g = i / GroupPanels(s), phase = i % GroupPanels(s) / phase_panels;
      const int64_t py = phase / s.stride_w, px = phase % s.stride_w;
      const Panels<T> panels = PanelsOf(s, py, px);
      const int64_t panel = i % phase_panels;
      float* out = static_cast<float*>(packed) + g * GroupFloats(s) + OffsetOf(s, py, px);
      out = panels.PackBias(bias ? bias + g * s.group_out() : nullptr, panel, out);
      for (int64_t tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
        const int64_t y = tap / s.kernel_w, x = tap % s.kernel_w;
        if (!DeconvAxis::Y(s).has(py, y) || !DeconvAxis::X(s).has(px, x)) continue;
        panels.PackRows(weights.at(g, panel * T::kColumns, y, x, 0),
                        {s.group_in(), weights.in, weights.out}, panel, out);
        out += s.group_in() * panels.width(panel);
      }
    }
  }

  // All phases are cut alike, so that a task does those of one region of the output.
  static Blocks<T> BlocksOf(const ConvShape& s) {
    return {s.batch * CeilDiv(s.out_h, s.stride_h) * CeilDiv(s.out_w, s.stride_w), s.group_out(),
            s.kernel_h * s.kernel_w * s.group_in(),
            s.batch * s.in_h * s.in_w * s.group_in() * int64_t{sizeof(float)}};
  }
  static int64_t Tasks(const ConvShape& s) { return s.groups * BlocksOf(s).tasks(); }

  // The pixels of phase (py, px): of each image `lines` lines of `columns`.
  struct Phase {
    int64_t py, px, lines, columns, taps, pixels;
    Blocks<T> blocks;

    Phase(const ConvShape& s, int64_t index)
        : py(index / s.stride_w),
          px(index % s.stride_w),
          lines(CeilDiv(MaxInt(0, s.out_h - py), s.stride_h)),
          columns(CeilDiv(MaxInt(0, s.out_w - px), s.stride_w)),
          taps(DeconvAxis::Y(s).taps(py) * DeconvAxis::X(s).taps(px)),
          pixels(s.batch * lines * columns),
          blocks(BlocksOf(s)) {
      blocks.row_tiles = CeilDiv(pixels, T::kRows);
    }
    Range pixels_of(int64_t tile) const { return PartOf(pixels, blocks.row_tiles, tile); }
  };

  // Zeros for a pixel, the buffer of a tile, then the pointers of a task's tiles.
  static int64_t ZeroFloats(const ConvShape& s) { return RoundUp(s.group_in(), kAlignment / 4); }
  static constexpr int64_t kTileFloats = T::kRows * T::kColumns;
  static int64_t ScratchBytes(const ConvShape& s) {
    const int64_t taps = s.kernel_h * s.kernel_w;
    const int64_t pointers = BlocksOf(s).tiles_a_task() * T::kRows * taps;
    return RoundUp((ZeroFloats(s) + kTileFloats) * 4 + pointers * int64_t{sizeof(void*)},
                   kAlignment);
  }

  static void Run(const ConvArgs& args, int64_t task_begin, int64_t task_end,
                  void* scratch) noexcept {
    const ConvShape& s = args.shape;
    float* zeros = static_cast<float*>(scratch);
    for (int64_t c = 0; c < s.group_in(); ++c) zeros[c] = 0.0f;
    const int64_t group_tasks = BlocksOf(s).tasks();
    for (int64_t task = task_begin; task < task_end; ++task) {
      for (int64_t i = 0; i < s.stride_h * s.stride_w; ++i) {
        const Phase phase(s, i);
        const Range tiles = phase.blocks.tiles_of(task % group_tasks);
        if (tiles.size() == 0) continue;
        RunBlock(args, task / group_tasks, phase, tiles, phase.blocks.panels_of(task % group_tasks),
                 zeros);
      }
    }
  }

 private:
  static void RunBlock(const ConvArgs& args, int64_t group, const Phase& phase, Range tiles,
                       Range panels, float* zeros) noexcept {
    const ConvShape& s = args.shape;
    float* buffer = zeros + ZeroFloats(s);
    const auto** pointers = reinterpret_cast<const float**>(buffer + kTileFloats);
    const int64_t first = phase.pixels_of(tiles.begin).begin;
    for (int64_t t = tiles.begin; t < tiles.end; ++t) {
      const Range rows = phase.pixels_of(t);
      FillPointers(args, group, phase, rows, zeros, pointers + (rows.begin - first) * phase.taps);
    }
    const Panels<T> layout = PanelsOf(s, phase.py, phase.px);
    const float* packed = static_cast<const float*>(args.packed) + group * GroupFloats(s) +
                          OffsetOf(s, phase.py, phase.px);
    TileArgs tile{.rows = nullptr,
                  .segments = phase.taps,
                  .k = s.group_in(),
                  .bias = nullptr,
                  .panel = nullptr,
                  .panel_stride = 0,
                  .columns = 0,
                  .out = {}};
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int64_t n0 = group * s.group_out() + panel * T::kColumns;
      layout.Select(packed, panel, tile);
      for (int64_t t = tiles.begin; t < tiles.end; ++t) {
        const Range rows = phase.pixels_of(t);
        tile.rows = pointers + (rows.begin - first) * phase.taps;
        RunTileAt(args, phase, rows, n0, tile, buffer);
      }
    }
  }

  // Calls f(line, jx, count) for each run of the phase's pixels in one line of the output, where
  // the run's pixels are jx, jx + 1, … of the phase's.
  struct Line {
    int64_t image, jy;
  };
  template <typename F>
  PARE_INLINE static void ForLines(const Phase& phase, Range rows, F f) {
    int64_t jx = rows.begin % phase.columns, line = rows.begin / phase.columns;
    for (int64_t row = rows.begin; row < rows.end; jx = 0, ++line) {
      const int64_t count = MinInt(rows.end - row, phase.columns - jx);
      f(Line{line / phase.lines, line % phase.lines}, jx, count);
      row += count;
    }
  }

  static void RunTileAt(const ConvArgs& args, const Phase& phase, Range rows, int64_t n0,
                        TileArgs tile, float* buffer) noexcept {
    const ConvShape& s = args.shape;
    const auto out = [&](const Line& line, int64_t jx) -> TileOut {
      const int64_t y = phase.py + line.jy * s.stride_h, x = phase.px + jx * s.stride_w;
      const int64_t pixel = (line.image * s.out_h + y) * s.out_w + x;
      return {.c = args.y + pixel * s.out_stride + n0,
              .ldc = s.out_stride * s.stride_w,
              .residual = args.residual ? args.residual + pixel * s.residual_stride + n0 : nullptr,
              .ldr = s.residual_stride * s.stride_w,
              .activation = args.activation};
    };
    const auto run = T::Find(rows.size(), T::VectorsOf(tile.columns));
    const int64_t jx = rows.begin % phase.columns, line = rows.begin / phase.columns;
    if (jx + rows.size() <= phase.columns) {
      tile.out = out({line / phase.lines, line % phase.lines}, jx);
      return run(tile);
    }
    tile.out = {.c = buffer, .ldc = T::kColumns, .residual = nullptr, .ldr = 0, .activation = {}};
    run(tile);
    const float* from = buffer;
    ForLines(phase, rows, [&](const Line& at, int64_t x, int64_t count) {
      StoreRows(from, count, tile.columns, out(at, x));
      from += count * T::kColumns;
    });
  }

  // Finished sums, kColumns apart, to where they belong.
  static void StoreRows(const float* from, int64_t rows, int64_t columns,
                        const TileOut& out) noexcept {
    const F32 lo = Set(out.activation.clamp_lo()), hi = Set(out.activation.clamp_hi());
    const auto store = [&](int64_t r, int64_t j, auto... tail) {
      F32 sum = Load(from + r * T::kColumns + j);
      if (out.residual) sum = Add(sum, Load(out.residual + r * out.ldr + j, tail...));
      Store(out.c + r * out.ldc + j, Clamp(sum, lo, hi), tail...);
    };
    const int64_t whole = columns / kLanes * kLanes;
    const Tail tail = FirstN(columns - whole);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < whole; j += kLanes) store(r, j);
      if (whole < columns) store(r, whole, tail);
    }
    if (!out.activation.is_clamp()) ActivateRows(out.activation, out.c, out.ldc, rows, columns);
  }

  // The pointers of one tile: [tap][pixel]. A tap reads, for the phase's pixel (jy, jx), input
  // pixel (jy, jx) moved by what it is for pixel (0, 0).
  static void FillPointers(const ConvArgs& args, int64_t group, const Phase& phase, Range rows,
                           const float* zeros, const float** pointers) noexcept {
    const ConvShape& s = args.shape;
    const DeconvAxis y = DeconvAxis::Y(s), x = DeconvAxis::X(s);
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      if (!y.has(phase.py, ky)) continue;
      const int64_t to_y = y.input(phase.py, ky);
      for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
        if (!x.has(phase.px, kx)) continue;
        const int64_t to_x = x.input(phase.px, kx);
        ForLines(phase, rows, [&](const Line& line, int64_t jx, int64_t count) {
          const int64_t iy = line.jy + to_y;
          const bool inside = iy >= 0 && iy < s.in_h;
          const float* row = args.x + group * s.group_in() +
                             (line.image * s.in_h + (inside ? iy : 0)) * s.in_w * s.in_stride;
          for (int64_t ix = jx + to_x; ix < jx + to_x + count; ++ix) {
            *pointers++ = inside && ix >= 0 && ix < s.in_w ? row + ix * s.in_stride : zeros;
          }
        });
      }
    }
  }
};

template <typename T>
constexpr ConvKernel MakeDeconv() {
  using D = Deconv<T>;
  return {.supports = D::Supports,
          .cost = nullptr,
          .packed_bytes = D::PackedBytes,
          .panels = D::PanelCount,
          .pack = D::Pack,
          .tasks = D::Tasks,
          .scratch_bytes = D::ScratchBytes,
          .run = D::Run};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
