// Transposed convolution, compiled per ISA: include after kernels/simd/<isa>.h.
//
// Output pixels whose coordinates are equal modulo the stride (a *phase*) see the same taps, each
// at a fixed distance in the input: within a phase this is an ordinary convolution, done by
// pointers to pixels as in conv/indirect-inl.h. A task is some output lines; of a line, each
// horizontal phase is a row of tiles.
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

  // Tasks are runs of output lines of one group.
  static int64_t LineTasks(const ConvShape& s) {
    constexpr int64_t kTaskMacs = 1 << 20;
    const int64_t line =
        s.in_w * s.kernel_w * s.group_in() * s.group_out() * CeilDiv(s.kernel_h, s.stride_h);
    return CeilDiv(s.batch * s.out_h, MaxInt(1, kTaskMacs / MaxInt(1, line)));
  }
  static int64_t Tasks(const ConvShape& s) { return s.groups * LineTasks(s); }

  // Zeros for a pixel, then the pointers of a line's tiles.
  static int64_t ZeroBytes(const ConvShape& s) { return RoundUp(s.group_in() * 4, kAlignment); }
  static int64_t ScratchBytes(const ConvShape& s) {
    return ZeroBytes(s) +
           RoundUp(CeilDiv(s.out_w, s.stride_w) * s.kernel_h * s.kernel_w * int64_t{sizeof(void*)},
                   kAlignment);
  }

  static void Run(const ConvArgs& args, int64_t task_begin, int64_t task_end,
                  void* scratch) noexcept {
    const ConvShape& s = args.shape;
    float* zeros = static_cast<float*>(scratch);
    for (int64_t c = 0; c < s.group_in(); ++c) zeros[c] = 0.0f;
    const int64_t line_tasks = LineTasks(s);
    for (int64_t task = task_begin; task < task_end; ++task) {
      const Range lines = PartOf(s.batch * s.out_h, line_tasks, task % line_tasks);
      for (int64_t line = lines.begin; line < lines.end; ++line) {
        for (int64_t px = 0; px < MinInt(s.stride_w, s.out_w); ++px) {
          RunPhase(args, task / line_tasks, line, px, zeros);
        }
      }
    }
  }

 private:
  static void RunPhase(const ConvArgs& args, int64_t group, int64_t line, int64_t px,
                       float* zeros) noexcept {
    const ConvShape& s = args.shape;
    const int64_t py = line % s.out_h % s.stride_h;
    const int64_t pixels = CeilDiv(s.out_w - px, s.stride_w);
    const int64_t row_tiles = CeilDiv(pixels, T::kRows);
    const Panels<T> panels = PanelsOf(s, py, px);
    const int64_t segments = DeconvAxis::Y(s).taps(py) * DeconvAxis::X(s).taps(px);
    const auto** pointers =
        reinterpret_cast<const float**>(reinterpret_cast<char*>(zeros) + ZeroBytes(s));
    for (int64_t t = 0; t < row_tiles; ++t) {
      const Range range = PartOf(pixels, row_tiles, t);
      FillPointers(args, group, line, {px + range.begin * s.stride_w, range.size()}, zeros,
                   pointers + range.begin * segments);
    }
    const float* packed =
        static_cast<const float*>(args.packed) + group * GroupFloats(s) + OffsetOf(s, py, px);
    TileArgs tile{.rows = nullptr,
                  .segments = segments,
                  .k = s.group_in(),
                  .bias = nullptr,
                  .panel = nullptr,
                  .panel_stride = 0,
                  .columns = 0,
                  .out = {.c = nullptr,
                          .ldc = s.out_stride * s.stride_w,
                          .residual = nullptr,
                          .ldr = s.residual_stride * s.stride_w,
                          .activation = args.activation}};
    for (int64_t panel = 0; panel < panels.count(); ++panel) {
      const int64_t n0 = group * s.group_out() + panel * T::kColumns;
      const int64_t vectors = panels.Select(packed, panel, tile);
      for (int64_t t = 0; t < row_tiles; ++t) {
        const Range range = PartOf(pixels, row_tiles, t);
        const int64_t pixel = line * s.out_w + px + range.begin * s.stride_w;
        tile.rows = pointers + range.begin * segments;
        tile.out.c = args.y + pixel * s.out_stride + n0;
        if (args.residual) tile.out.residual = args.residual + pixel * s.residual_stride + n0;
        T::Find(range.size(), vectors)(tile);
      }
    }
  }

  struct Pixels {
    int64_t ox, count;  // ox, ox + stride_w, …
  };

  // The pointers of one tile: [tap][pixel].
  static void FillPointers(const ConvArgs& args, int64_t group, int64_t line, Pixels pixels,
                           const float* zeros, const float** pointers) noexcept {
    const ConvShape& s = args.shape;
    const DeconvAxis y = DeconvAxis::Y(s), x = DeconvAxis::X(s);
    const int64_t oy = line % s.out_h;
    const float* image =
        args.x + line / s.out_h * s.in_h * s.in_w * s.in_stride + group * s.group_in();
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      if (!y.has(oy, ky)) continue;
      const int64_t iy = y.input(oy, ky);
      for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
        if (!x.has(pixels.ox, kx)) continue;
        const int64_t first = x.input(pixels.ox, kx);
        for (int64_t ix = first; ix < first + pixels.count; ++ix) {
          const bool inside = iy >= 0 && iy < s.in_h && ix >= 0 && ix < s.in_w;
          *pointers++ = inside ? image + (iy * s.in_w + ix) * s.in_stride : zeros;
        }
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
