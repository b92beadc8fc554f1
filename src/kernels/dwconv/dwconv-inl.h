// Depthwise convolution, compiled per ISA: include after kernels/simd/<isa>.h.
//
// A vector holds neighbouring channels. A step makes kOutputs neighbouring output pixels of one
// line: for each line of the kernel it loads that line's weights and then walks over the input
// columns, each of which is loaded once and used by all outputs that it reaches. Columns are
// reached through pointers that are made once for all channels; those outside of the image point to
// zeros, so that borders and line ends run the same body.
#pragma once

#include "kernels/dwconv/dwconv.h"
#include "kernels/simd/activation-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

// Packed: bias[channels], then [kernel_h · kernel_w][channels], channels rounded up to whole
// vectors.
struct DwLayout {
  int64_t taps, channels;

  explicit DwLayout(const ConvShape& s)
      : taps(s.kernel_h * s.kernel_w), channels(RoundUp(s.in_c, kLanes)) {}

  int64_t bytes() const { return RoundUp((taps + 1) * channels * 4, kAlignment); }

  // A panel is a cache line's worth of channels.
  int64_t panels() const { return CeilDiv(channels, kAlignment / 4); }
  void Pack(const ConvShape& s, const ConvWeights& weights, const float* bias, Range panels,
            float* out) const {
    const int64_t begin = panels.begin * (kAlignment / 4);
    const int64_t end = MinInt(channels, panels.end * (kAlignment / 4));
    for (int64_t c = begin; c < end; ++c) out[c] = bias && c < s.in_c ? bias[c] : 0.0f;
    for (int64_t tap = 0; tap < taps; ++tap) {
      out += channels;
      const float* from = weights.at(0, 0, tap / s.kernel_w, tap % s.kernel_w, 0);
      for (int64_t c = begin; c < end; ++c) out[c] = c < s.in_c ? from[c * weights.group] : 0.0f;
    }
  }
};

// A half-empty vector of 16 lanes is slower than a full one of 8, which every CPU with the former
// has.
inline bool TooNarrow(const ConvShape& s) { return kLanes == 16 && s.in_c <= 8; }

// Tasks are runs of output lines.
struct DwTasks {
  int64_t lines, count;

  explicit DwTasks(const ConvShape& s) : lines(s.batch * s.out_h) {
    constexpr int64_t kTaskMacs = 1 << 17;
    const int64_t macs = MaxInt(1, s.out_w * s.in_c * s.kernel_h * s.kernel_w);
    count = CeilDiv(lines, MaxInt(1, kTaskMacs / macs));
  }
};

// One output line: its image and place, and the kernel lines that lie inside of the image.
struct DwLine {
  const float* image;
  int64_t first_pixel;  // of the output
  int64_t iy;           // of kernel line 0
  Range ky;

  DwLine(const ConvArgs& args, int64_t line) {
    const ConvShape& s = args.shape;
    const int64_t oy = line % s.out_h;
    image = args.x + line / s.out_h * s.in_h * s.in_w * s.in_stride;
    first_pixel = line * s.out_w;
    iy = oy * s.stride_h - s.pad_top;
    ky.begin = iy < 0 ? CeilDiv(-iy, s.dilation_h) : 0;
    ky.end = MinInt(s.kernel_h, CeilDiv(MaxInt(0, s.in_h - iy), s.dilation_h));
    if (ky.begin > ky.end) ky.begin = ky.end;
  }
  const float* row(const ConvShape& s, int64_t y) const {
    return image + (iy + y * s.dilation_h) * s.in_w * s.in_stride;
  }
};

// Adds the residual, clamps and stores one vector of one pixel; Tails is empty for a whole vector.
template <typename... Tails>
PARE_INLINE void DwStore(const ConvArgs& args, int64_t pixel, int64_t c, F32 sum, F32 lo, F32 hi,
                         Tails... tail) {
  if (args.residual) {
    sum = Add(sum, Load(args.residual + pixel * args.shape.residual_stride + c, tail...));
  }
  Store(args.y + pixel * args.shape.out_stride + c, Clamp(sum, lo, hi), tail...);
}

template <int kKernelW>
struct DwConv {
  static constexpr int kOutputs = 7;  // image sizes of many networks are multiples of 7
  static constexpr int Columns(int stride) { return (kOutputs - 1) * stride + kKernelW; }

  static bool Supports(const ConvShape& s) {
    if (TooNarrow(s)) return false;
    return s.kernel_w == kKernelW && s.dilation_w == 1 && (s.stride_w == 1 || s.stride_w == 2);
  }
  static int64_t PackedBytes(const ConvShape& s) { return DwLayout(s).bytes(); }
  static int64_t PanelCount(const ConvShape& s) { return DwLayout(s).panels(); }
  static void Pack(const ConvShape& s, const ConvWeights& weights, const float* bias,
                   int64_t panel_begin, int64_t panel_end, void* packed) noexcept {
    DwLayout(s).Pack(s, weights, bias, {panel_begin, panel_end}, static_cast<float*>(packed));
  }
  static int64_t Tasks(const ConvShape& s) { return DwTasks(s).count; }

  // Pointers to the columns of each kernel line, then a pixel of zeros.
  static int64_t PointerBytes(const ConvShape& s) {
    return RoundUp(s.kernel_h * Columns(2) * int64_t{sizeof(void*)}, kAlignment);
  }
  static int64_t ScratchBytes(const ConvShape& s) {
    return PointerBytes(s) + RoundUp(s.in_c * 4, kAlignment);
  }

  static void Run(const ConvArgs& args, int64_t task_begin, int64_t task_end,
                  void* scratch) noexcept {
    const ConvShape& s = args.shape;
    float* zeros = reinterpret_cast<float*>(static_cast<char*>(scratch) + PointerBytes(s));
    for (int64_t c = 0; c < s.in_c; ++c) zeros[c] = 0.0f;
    const DwTasks tasks(s);
    const int64_t begin = PartOf(tasks.lines, tasks.count, task_begin).begin;
    const int64_t end = PartOf(tasks.lines, tasks.count, task_end - 1).end;
    const auto** pointers = static_cast<const float**>(scratch);
    for (int64_t line = begin; line < end; ++line) {
      if (s.stride_w == 1) {
        RunLine<1>(args, line, zeros, pointers);
      } else {
        RunLine<2>(args, line, zeros, pointers);
      }
    }
  }

 private:
  template <int kStride>
  static void RunLine(const ConvArgs& args, int64_t index, const float* zeros,
                      const float** pointers) noexcept {
    const ConvShape& s = args.shape;
    const DwLine line(args, index);
    const int64_t whole = s.in_c / kLanes * kLanes;
    const Tail tail = FirstN(s.in_c - whole);
    for (int64_t ox = 0; ox < s.out_w; ox += kOutputs) {
      const float** column = pointers;
      const int64_t ix = ox * kStride - s.pad_left;
      for (int64_t ky = line.ky.begin; ky < line.ky.end; ++ky) {
        const float* row = line.row(s, ky);
        if (ix >= 0 && ix + Columns(kStride) <= s.in_w) {
          row += ix * s.in_stride;
          for (int i = 0; i < Columns(kStride); ++i, row += s.in_stride) *column++ = row;
        } else {
          for (int64_t i = ix; i < ix + Columns(kStride); ++i) {
            *column++ = i >= 0 && i < s.in_w ? row + i * s.in_stride : zeros;
          }
        }
      }
      const int64_t outputs = MinInt(kOutputs, s.out_w - ox);
      for (int64_t c = 0; c < whole; c += kLanes) {
        Step<kStride>(args, line, pointers, ox, outputs, c);
      }
      if (whole < s.in_c) Step<kStride>(args, line, pointers, ox, outputs, whole, tail);
      if (!args.activation.is_clamp()) {
        ActivateRows(args.activation, args.y + (line.first_pixel + ox) * s.out_stride, s.out_stride,
                     outputs, s.in_c);
      }
    }
  }

  // Column kColumn and those right of it: each meets the outputs o whose tap kx = kColumn - o ·
  // kStride exists.
  template <int kStride, int kColumn, typename... Tails>
  PARE_INLINE static void AddColumns(const float* const* columns, int64_t c,
                                     const F32 (&w)[kKernelW], F32 (&sums)[kOutputs],
                                     Tails... tail) {
    constexpr int kPast = kColumn - kKernelW;  // kx < kKernelW
    constexpr int kFirst = kPast < 0 ? 0 : kPast / kStride + 1;
    constexpr int kLast = kColumn / kStride < kOutputs - 1 ? kColumn / kStride : kOutputs - 1;
    const F32 x = Load(columns[kColumn] + c, tail...);
    PARE_UNROLL for (int o = kFirst; o <= kLast; ++o) {
      sums[o] = Fma(x, w[kColumn - o * kStride], sums[o]);
    }
    if constexpr (kColumn + 1 < Columns(kStride)) {
      AddColumns<kStride, kColumn + 1>(columns, c, w, sums, tail...);
    }
  }

  // The body: kOutputs pixels of one vector of channels, of which `outputs` are stored.
  template <int kStride, typename... Tails>
  PARE_INLINE static void Step(const ConvArgs& args, const DwLine& line,
                               const float* const* columns, int64_t ox, int64_t outputs, int64_t c,
                               Tails... tail) {
    const DwLayout layout(args.shape);
    const float* packed = static_cast<const float*>(args.packed) + c;
    F32 sums[kOutputs];
    const F32 bias = Load(packed);
    PARE_UNROLL for (int o = 0; o < kOutputs; ++o) sums[o] = bias;
    const float* weights = packed + (line.ky.begin * kKernelW + 1) * layout.channels;
    for (int64_t ky = line.ky.begin; ky < line.ky.end; ++ky) {
      F32 w[kKernelW];
      PARE_UNROLL for (int kx = 0; kx < kKernelW; ++kx) w[kx] =
          Load(weights + kx * layout.channels);
      AddColumns<kStride, 0>(columns, c, w, sums, tail...);
      columns += Columns(kStride);
      weights += kKernelW * layout.channels;
    }
    const F32 lo = Set(args.activation.clamp_lo()), hi = Set(args.activation.clamp_hi());
    const int64_t pixel = line.first_pixel + ox;
    PARE_UNROLL for (int o = 0; o < kOutputs; ++o) {
      if (o < outputs) DwStore(args, pixel + o, c, sums[o], lo, hi, tail...);
    }
  }
};

// An input pixel and the weights that it meets at one output pixel.
struct DwTap {
  const float* x;
  const float* w;
};

// The taps of an output line's pixels that lie inside of the image.
struct DwConvTaps : DwLine {
  using DwLine::DwLine;

  int64_t Find(const ConvArgs& args, int64_t ox, DwTap* taps) const noexcept {
    const ConvShape& s = args.shape;
    const DwLayout layout(s);
    const float* weights = static_cast<const float*>(args.packed) + layout.channels;
    int64_t count = 0;
    for (int64_t y = ky.begin; y < ky.end; ++y) {
      for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
        const int64_t ix = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
        if (ix < 0 || ix >= s.in_w) continue;
        taps[count++] = {row(s, y) + ix * s.in_stride,
                         weights + (y * s.kernel_w + kx) * layout.channels};
      }
    }
    return count;
  }
};

// Any kernel, stride and dilation: pixel by pixel over its taps, a few vectors of channels at once
// so that their sums don't wait for each other.
template <typename Taps>
struct DwByTaps {
  static constexpr int kVectors = 4;

  static bool Supports(const ConvShape& s) { return !TooNarrow(s); }

  static int64_t ScratchBytes(const ConvShape& s) {
    return RoundUp(s.kernel_h * s.kernel_w * int64_t{sizeof(DwTap)}, kAlignment);
  }

  static void Run(const ConvArgs& args, int64_t task_begin, int64_t task_end,
                  void* scratch) noexcept {
    const ConvShape& s = args.shape;
    const DwTasks tasks(s);
    const int64_t begin = PartOf(tasks.lines, tasks.count, task_begin).begin;
    const int64_t end = PartOf(tasks.lines, tasks.count, task_end - 1).end;
    DwTap* taps = static_cast<DwTap*>(scratch);
    for (int64_t i = begin; i < end; ++i) {
      const Taps line(args, i);
      for (int64_t ox = 0; ox < s.out_w; ++ox) {
        RunPixel(args, i * s.out_w + ox, taps, line.Find(args, ox, taps));
      }
    }
  }

 private:
  static void RunPixel(const ConvArgs& args, int64_t pixel, const DwTap* taps,
                       int64_t count) noexcept {
    const int64_t channels = args.shape.in_c, whole = channels / kLanes * kLanes;
    int64_t c = 0;
    for (; c + kVectors * kLanes <= channels; c += kVectors * kLanes) {
      Step<kVectors>(args, pixel, taps, count, c);
    }
    for (; c < whole; c += kLanes) Step<1>(args, pixel, taps, count, c);
    if (c < channels) Step<1>(args, pixel, taps, count, c, FirstN(channels - c));
    if (args.activation.is_clamp()) return;
    ActivateRows(args.activation, args.y + pixel * args.shape.out_stride, 0, 1, channels);
  }

  template <int kCount, typename... Tails>
  PARE_INLINE static void Step(const ConvArgs& args, int64_t pixel, const DwTap* taps,
                               int64_t count, int64_t c, Tails... tail) {
    const float* bias = static_cast<const float*>(args.packed) + c;
    F32 sums[kCount];
    PARE_UNROLL for (int v = 0; v < kCount; ++v) sums[v] = Load(bias + v * kLanes);
    for (int64_t t = 0; t < count; ++t) {
      PARE_UNROLL for (int v = 0; v < kCount; ++v) {
        const int64_t at = c + v * kLanes;
        sums[v] = Fma(Load(taps[t].x + at, tail...), Load(taps[t].w + at), sums[v]);
      }
    }
    const F32 lo = Set(args.activation.clamp_lo()), hi = Set(args.activation.clamp_hi());
    PARE_UNROLL for (int v = 0; v < kCount; ++v) {
      DwStore(args, pixel, c + v * kLanes, sums[v], lo, hi, tail...);
    }
  }
};

using DwConvAny = DwByTaps<DwConvTaps>;

// All rows of an ISA share DwConv<3>'s packing.
template <typename Conv>
constexpr ConvKernel MakeDwConv() {
  return {.supports = Conv::Supports,
          .cost = nullptr,
          .packed_bytes = DwConv<3>::PackedBytes,
          .panels = DwConv<3>::PanelCount,
          .pack = DwConv<3>::Pack,
          .tasks = DwConv<3>::Tasks,
          .scratch_bytes = Conv::ScratchBytes,
          .run = Conv::Run};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
