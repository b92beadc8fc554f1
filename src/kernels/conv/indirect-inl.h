// Convolution by pointers to input pixels, compiled per ISA: include after kernels/simd/<isa>.h.
//
// An output pixel is a row of a matrix product whose k runs over (ky, kx, channel). The elements of
// a row lie in the image piece by piece, so that the tile (gemm/tile-inl.h) takes a list of
// pointers, a *segment* each, and no image is copied into columns. A segment is one tap, in_c long;
// what lies outside of the image points to zeros. Where in_c is small the kernel_w taps of a line,
// neighbours in memory, are one segment; a line that crosses the left or right border is then
// copied with its zeros. This serves 1×1, k×k, strided, dilated, grouped and the first layer alike.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/gemm/tile-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

// How a shape's k is cut into segments.
struct Segments {
  int64_t taps;   // a segment, along x
  int64_t lines;  // segments along x
  int64_t count;
  int64_t k;  // floats of a segment

  explicit Segments(const ConvShape& s) {
    constexpr int64_t kSmallC = 32;
    const bool merge = s.groups == 1 && s.dilation_w == 1 && s.kernel_w > 1 &&
                       s.in_stride == s.in_c && s.in_c <= kSmallC;
    taps = merge ? s.kernel_w : 1;
    lines = s.kernel_w / taps;
    count = s.kernel_h * lines;
    k = taps * s.group_in();
  }
};

template <typename T>
struct IndirectConv {
  static bool Supports(const ConvShape&) { return true; }

  static int64_t K(const ConvShape& s) { return s.kernel_h * s.kernel_w * s.group_in(); }
  static Panels<T> PanelsOf(const ConvShape& s) { return {s.group_out(), K(s)}; }
  static Blocks<T> BlocksOf(const ConvShape& s) {
    const int64_t image = s.batch * s.in_h * s.in_w * s.group_in() * 4;
    return {s.pixels(), s.group_out(), K(s), MinInt(image, s.pixels() * K(s) * 4)};
  }

  static double Cost(const ConvShape& s) {
    return static_cast<double>(s.groups) * Blocks<T>::Cost(s.pixels(), s.group_out(), K(s));
  }
  static int64_t PackedBytes(const ConvShape& s) { return s.groups * PanelsOf(s).bytes(); }
  static int64_t Tasks(const ConvShape& s) { return s.groups * BlocksOf(s).tasks(); }

  static int64_t PanelCount(const ConvShape& s) { return s.groups * PanelsOf(s).count(); }
  static void Pack(const ConvShape& s, const ConvWeights& weights, const float* bias,
                   int64_t panel_begin, int64_t panel_end, void* packed) noexcept {
    const Panels<T> panels = PanelsOf(s);
    for (int64_t i = panel_begin; i < panel_end; ++i) {
      const int64_t g = i / panels.count(), panel = i % panels.count();
      const float* group_bias = bias ? bias + g * s.group_out() : nullptr;
      float* out =
          panels.PackBias(group_bias, panel, static_cast<float*>(packed) + g * panels.bytes() / 4);
      for (int64_t tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
        const float* from =
            weights.at(g, panel * T::kColumns, tap / s.kernel_w, tap % s.kernel_w, 0);
        panels.PackRows(from, {s.group_in(), weights.in, weights.out}, panel, out);
        out += s.group_in() * panels.width(panel);
      }
    }
  }

  // Zeros for a segment, then the copied segments, then the pointers of all tiles of a task.
  struct Scratch {
    int64_t rows, copies, pointers, bytes;

    explicit Scratch(const ConvShape& s) {
      const Segments segments(s);
      rows = BlocksOf(s).tiles_a_task() * T::kRows;
      copies = RoundUp(segments.k, kAlignment / 4);
      const int64_t copied = segments.taps > 1 ? rows * segments.count * segments.k : 0;
      pointers = copies + RoundUp(copied, kAlignment / 4);
      bytes = RoundUp(pointers * 4 + rows * segments.count * int64_t{sizeof(void*)}, kAlignment);
    }
  };
  static int64_t ScratchBytes(const ConvShape& s) { return Scratch(s).bytes; }

  static void Run(const ConvArgs& args, int64_t task_begin, int64_t task_end,
                  void* scratch) noexcept {
    const ConvShape& s = args.shape;
    const Blocks<T> blocks = BlocksOf(s);
    for (int64_t task = task_begin; task < task_end; ++task) {
      const int64_t group = task / blocks.tasks(), block = task % blocks.tasks();
      RunBlock(args, blocks, group, blocks.tiles_of(block), blocks.panels_of(block),
               static_cast<float*>(scratch));
    }
  }

 private:
  static void RunBlock(const ConvArgs& args, const Blocks<T>& blocks, int64_t group, Range tiles,
                       Range panels, float* scratch) noexcept {
    const ConvShape& s = args.shape;
    const Segments segments(s);
    const Panels<T> layout = PanelsOf(s);
    const float** pointers = reinterpret_cast<const float**>(scratch + Scratch(s).pointers);
    const int64_t m0 = PartOf(s.pixels(), blocks.row_tiles, tiles.begin).begin;
    FillPointers(args, segments, group, blocks.row_tiles, tiles, scratch, pointers);
    TileArgs tile{.rows = nullptr,
                  .segments = segments.count,
                  .k = segments.k,
                  .bias = nullptr,
                  .panel = nullptr,
                  .panel_stride = 0,
                  .columns = 0,
                  .out = {.c = nullptr,
                          .ldc = s.out_stride,
                          .residual = nullptr,
                          .ldr = s.residual_stride,
                          .activation = args.activation}};
    const float* packed = static_cast<const float*>(args.packed) + group * layout.bytes() / 4;
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int64_t n0 = group * s.group_out() + panel * T::kColumns;
      const int64_t vectors = layout.Select(packed, panel, tile);
      for (int64_t t = tiles.begin; t < tiles.end; ++t) {
        const Range m = PartOf(s.pixels(), blocks.row_tiles, t);
        tile.rows = pointers + (m.begin - m0) * segments.count;
        tile.out.c = args.y + m.begin * s.out_stride + n0;
        if (args.residual) tile.out.residual = args.residual + m.begin * s.residual_stride + n0;
        T::Find(m.size(), vectors)(tile);
      }
    }
  }

  // A run of output pixels of one line inside one tile.
  struct Line {
    int64_t image, oy, ox, size;
  };

  static void FillPointers(const ConvArgs& args, const Segments& segments, int64_t group,
                           int64_t row_tiles, Range tiles, float* scratch,
                           const float** pointers) noexcept {
    const ConvShape& s = args.shape;
    for (int64_t i = 0; i < segments.k; ++i) scratch[i] = 0.0f;
    float* copy = scratch + Scratch(s).copies;
    const float* x = args.x + group * s.group_in();
    int64_t m = PartOf(s.pixels(), row_tiles, tiles.begin).begin;
    Line line{m / (s.out_h * s.out_w), m / s.out_w % s.out_h, m % s.out_w, 0};
    for (int64_t t = tiles.begin; t < tiles.end; ++t) {
      const int64_t rows = PartOf(s.pixels(), row_tiles, t).size();
      for (int64_t r = 0; r < rows; r += line.size) {
        line.size = MinInt(rows - r, s.out_w - line.ox);
        copy = FillLine(s, segments, line, x, scratch, copy, pointers + r, rows);
        line.ox += line.size;
        if (line.ox < s.out_w) continue;
        line.ox = 0;
        if (++line.oy == s.out_h) line.oy = 0, ++line.image;
      }
      pointers += rows * segments.count;
    }
  }

  // Writes the line's pointers of all segments; those of one segment are `rows` after the last
  // one's. Returns where the next copied segment goes.
  static float* FillLine(const ConvShape& s, const Segments& segments, const Line& line,
                         const float* x, const float* zeros, float* copy, const float** pointers,
                         int64_t rows) noexcept {
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      const int64_t iy = line.oy * s.stride_h - s.pad_top + ky * s.dilation_h;
      const bool inside = iy >= 0 && iy < s.in_h;
      const float* row = x + (line.image * s.in_h + (inside ? iy : 0)) * s.in_w * s.in_stride;
      for (int64_t kx = 0; kx < segments.lines; ++kx, pointers += rows) {
        const int64_t ix = line.ox * s.stride_w - s.pad_left + kx * s.dilation_w;
        copy = FillSegment(s, segments, inside ? row : nullptr, {ix, line.size}, zeros, copy,
                           pointers);
      }
    }
    return copy;
  }

  struct Columns {
    int64_t ix, count;  // ix, ix + stride_w, …
  };

  // The pointers of one segment of a line; `row` is null above and below the image.
  static float* FillSegment(const ConvShape& s, const Segments& segments, const float* row,
                            Columns columns, const float* zeros, float* copy,
                            const float** pointers) noexcept {
    const auto [ix, count] = columns;
    if (!row) {
      for (int64_t i = 0; i < count; ++i) pointers[i] = zeros;
      return copy;
    }
    // Pixels [begin, end) have their segment inside of the image.
    const int64_t room = s.in_w - segments.taps - ix;
    const int64_t begin = ix < 0 ? MinInt(count, CeilDiv(-ix, s.stride_w)) : 0;
    int64_t end = room >= (count - 1) * s.stride_w ? count : room < 0 ? 0 : room / s.stride_w + 1;
    end = MaxInt(begin, end);
    const auto border = [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        const int64_t at = ix + i * s.stride_w;
        if (at <= -segments.taps || at >= s.in_w) {
          pointers[i] = zeros;
        } else {
          pointers[i] = copy;
          copy = CopySegment(s, segments, row, at, copy);
        }
      }
    };
    border(0, begin);
    for (int64_t i = begin; i < end; ++i) pointers[i] = row + (ix + i * s.stride_w) * s.in_stride;
    border(end, count);
    return copy;
  }

  // taps pixels from column ix on, zeros where the image has none.
  static float* CopySegment(const ConvShape& s, const Segments& segments, const float* row,
                            int64_t ix, float* copy) noexcept {
    const int64_t first = ix < 0 ? -ix : 0, last = MinInt(segments.taps, s.in_w - ix);
    float* const end = copy + segments.k;
    __builtin_memset(copy, 0, static_cast<size_t>(first * s.in_c) * sizeof(float));
    copy += first * s.in_c;
    const int64_t inside = (last - first) * s.in_c;
    __builtin_memcpy(copy, row + (ix + first) * s.in_c,
                     static_cast<size_t>(inside) * sizeof(float));
    copy += inside;
    __builtin_memset(copy, 0, static_cast<size_t>(end - copy) * sizeof(float));
    return end;
  }
};

template <typename T>
constexpr ConvKernel MakeIndirectConv() {
  using C = IndirectConv<T>;
  return {.supports = C::Supports,
          .cost = C::Cost,
          .packed_bytes = C::PackedBytes,
          .panels = C::PanelCount,
          .pack = C::Pack,
          .tasks = C::Tasks,
          .scratch_bytes = C::ScratchBytes,
          .run = C::Run};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
