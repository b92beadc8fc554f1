// Weight gradients of depthwise convolutions, compiled per ISA: include after kernels/simd/<isa>.h.
//
// A vector holds neighbouring channels; each tap of each channel is a dot product over the pixels.
// A task is a run of output lines whose sums, [tap][channel], stay in the caches; Sum adds up the
// tasks' and writes them channel by channel.
#pragma once

#include "kernels/convgrad/convgrad.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

struct DepthwiseParts {
  int64_t lines, taps, channels, parts;  // channels rounded up to whole vectors

  explicit DepthwiseParts(const ConvShape& s)
      : lines(s.batch * s.out_h),
        taps(s.kernel_h * s.kernel_w),
        channels(RoundUp(s.in_c, kAlignment / 4)) {
    constexpr int64_t kTasks = 32, kPartMacs = 1 << 17;
    const int64_t macs = s.pixels() * s.in_c * taps;
    parts = MaxInt(1, MinInt(MinInt(kTasks, lines), macs / kPartMacs));
  }
  int64_t floats() const { return taps * channels; }  // of a part
};

// Calls f(c, tail…) for each vector of channels: the last one may need a tail.
template <typename F>
PARE_INLINE void ForChannels(int64_t channels, F f) {
  const int64_t whole = channels / kLanes * kLanes;
  for (int64_t c = 0; c < whole; c += kLanes) f(c);
  if (whole < channels) f(whole, FirstN(channels - whole));
}

// Three by three taps side by side: sums of a line's pixels stay in registers, and an input pixel
// that is loaded serves all outputs and taps of its line that meet it. Pixels are reached through
// pointers that are made once for all channels; those outside of the image point to zeros.
struct DepthwiseGrad3x3 {
  static constexpr int kTaps = 3;
  static constexpr int kOutputs = kLanes == 8 ? 4 : 8;  // as many as registers hold
  static constexpr int Columns(int stride) { return (kOutputs - 1) * stride + kTaps; }

  static bool Supports(const ConvShape& s) {
    return s.groups == s.in_c && s.in_c == s.out_c && s.kernel_h == kTaps && s.kernel_w == kTaps &&
           s.dilation_w == 1 && (s.stride_w == 1 || s.stride_w == 2);
  }

  // Zeros for a pixel, then for each step along a line its pointers: kOutputs of dy, then the
  // columns of three lines of x.
  static int64_t Steps(const ConvShape& s) { return CeilDiv(s.out_w, kOutputs); }
  static int64_t ZeroFloats(const ConvShape& s) { return RoundUp(s.in_c, kAlignment / 4); }
  static int64_t ScratchBytes(const ConvShape& s) {
    const int64_t pointers = Steps(s) * (kOutputs + kTaps * Columns(2));
    return ZeroFloats(s) * 4 + RoundUp(pointers * int64_t{sizeof(void*)}, kAlignment);
  }

  static void AddLine(const ConvGradArgs& args, int64_t line, float* sums, void* scratch) noexcept {
    float* zeros = static_cast<float*>(scratch);
    const float** pointers = reinterpret_cast<const float**>(zeros + ZeroFloats(args.shape));
    const DepthwiseParts parts(args.shape);
    for (int64_t c = 0; c < parts.channels; ++c) zeros[c] = 0.0f;
    FillPointers(args, line, zeros, pointers);
    for (int64_t step = Steps(args.shape); step > 0; --step) {
      if (args.shape.stride_w == 1) {
        pointers = AddStep<1>(args.shape, pointers, sums, parts.channels);
      } else {
        pointers = AddStep<2>(args.shape, pointers, sums, parts.channels);
      }
    }
  }

 private:
  static void FillPointers(const ConvGradArgs& args, int64_t line, const float* zeros,
                           const float** pointers) noexcept {
    const ConvShape& s = args.shape;
    const float* dy = args.dy + line * s.out_w * s.out_stride;
    const float* image = args.x + line / s.out_h * s.in_h * s.in_w * s.in_stride;
    const int64_t top = line % s.out_h * s.stride_h - s.pad_top;
    for (int64_t ox = 0; ox < s.out_w; ox += kOutputs) {
      for (int64_t o = ox; o < ox + kOutputs; ++o) {
        *pointers++ = o < s.out_w ? dy + o * s.out_stride : zeros;
      }
      for (int64_t ky = 0; ky < kTaps; ++ky) {
        const int64_t iy = top + ky * s.dilation_h, left = ox * s.stride_w - s.pad_left;
        for (int64_t ix = left; ix < left + Columns(static_cast<int>(s.stride_w)); ++ix) {
          const bool inside = iy >= 0 && iy < s.in_h && ix >= 0 && ix < s.in_w;
          *pointers++ = inside ? image + (iy * s.in_w + ix) * s.in_stride : zeros;
        }
      }
    }
  }

  // Adds what one step's pixels give to all channels; returns the next step's pointers.
  template <int kStride>
  static const float** AddStep(const ConvShape& s, const float** pointers, float* sums,
                               int64_t tap_step) noexcept {
    ForChannels(s.in_c, [&](int64_t c, auto... tail) {
      F32 dy[kOutputs];
      PARE_UNROLL for (int o = 0; o < kOutputs; ++o) dy[o] = Load(pointers[o] + c, tail...);
      PARE_UNROLL for (int ky = 0; ky < kTaps; ++ky) {
        F32 acc[kTaps];
        float* to = sums + ky * kTaps * tap_step + c;
        PARE_UNROLL for (int kx = 0; kx < kTaps; ++kx) acc[kx] = Load(to + kx * tap_step);
        AddColumns<kStride, 0>(pointers + kOutputs + ky * Columns(kStride), c, dy, acc, tail...);
        PARE_UNROLL for (int kx = 0; kx < kTaps; ++kx) Store(to + kx * tap_step, acc[kx]);
      }
    });
    return pointers + kOutputs + kTaps * Columns(kStride);
  }

  // Column kColumn and those right of it: each meets the outputs o whose tap kx = kColumn − o ·
  // kStride exists.
  template <int kStride, int kColumn, typename... Tails>
  PARE_INLINE static void AddColumns(const float* const* columns, int64_t c,
                                     const F32 (&dy)[kOutputs], F32 (&acc)[kTaps], Tails... tail) {
    constexpr int kPast = kColumn - kTaps;  // kx < kTaps
    constexpr int kFirst = kPast < 0 ? 0 : kPast / kStride + 1;
    constexpr int kLast = kColumn / kStride < kOutputs - 1 ? kColumn / kStride : kOutputs - 1;
    const F32 x = Load(columns[kColumn] + c, tail...);
    PARE_UNROLL for (int o = kFirst; o <= kLast; ++o) {
      acc[kColumn - o * kStride] = Fma(x, dy[o], acc[kColumn - o * kStride]);
    }
    if constexpr (kColumn + 1 < Columns(kStride)) {
      AddColumns<kStride, kColumn + 1>(columns, c, dy, acc, tail...);
    }
  }
};

// Any kernel, stride and dilation: tap by tap over the part of the line that it reads.
struct DepthwiseGradAny {
  static bool Supports(const ConvShape& s) { return s.groups == s.in_c && s.in_c == s.out_c; }
  static int64_t ScratchBytes(const ConvShape&) { return 0; }

  static void AddLine(const ConvGradArgs& args, int64_t line, float* sums, void*) noexcept {
    const ConvShape& s = args.shape;
    const DepthwiseParts parts(s);
    const float* image = args.x + line / s.out_h * s.in_h * s.in_w * s.in_stride;
    const float* dy = args.dy + line * s.out_w * s.out_stride;
    for (int64_t tap = 0; tap < parts.taps; ++tap, sums += parts.channels) {
      const int64_t ky = tap / s.kernel_w, kx = tap % s.kernel_w;
      const int64_t iy = line % s.out_h * s.stride_h - s.pad_top + ky * s.dilation_h;
      if (iy < 0 || iy >= s.in_h) continue;
      const int64_t left = kx * s.dilation_w - s.pad_left;  // what output pixel 0 reads
      const int64_t begin = left < 0 ? CeilDiv(-left, s.stride_w) : 0;
      const int64_t end = MinInt(s.out_w, CeilDiv(MaxInt(0, s.in_w - left), s.stride_w));
      const float* x = image + (iy * s.in_w + left + begin * s.stride_w) * s.in_stride;
      ForChannels(s.in_c, [&](int64_t c, auto... tail) {
        AddTap(s, x + c, dy + begin * s.out_stride + c, end - begin, sums + c, tail...);
      });
    }
  }

 private:
  template <typename... Tails>
  PARE_INLINE static void AddTap(const ConvShape& s, const float* x, const float* dy, int64_t count,
                                 float* sums, Tails... tail) {
    const int64_t x_step = s.stride_w * s.in_stride;
    F32 even = Load(sums), odd = Zero();
    for (; count >= 2; count -= 2, x += 2 * x_step, dy += 2 * s.out_stride) {
      even = Fma(Load(x, tail...), Load(dy, tail...), even);
      odd = Fma(Load(x + x_step, tail...), Load(dy + s.out_stride, tail...), odd);
    }
    if (count > 0) even = Fma(Load(x, tail...), Load(dy, tail...), even);
    Store(sums, Add(even, odd));
  }
};

template <typename Lines>
struct DepthwiseGrad {
  static constexpr int64_t kSumChannels = kAlignment / 4;  // of a task of Sum

  static int64_t PartialBytes(const ConvShape& s) {
    const DepthwiseParts parts(s);
    return parts.parts * parts.floats() * 4;
  }
  static int64_t Tasks(const ConvShape& s) { return DepthwiseParts(s).parts; }

  static void Run(const ConvGradArgs& args, int64_t task_begin, int64_t task_end,
                  void* scratch) noexcept {
    const DepthwiseParts parts(args.shape);
    for (int64_t task = task_begin; task < task_end; ++task) {
      float* sums = args.partials + task * parts.floats();
      for (int64_t i = 0; i < parts.floats(); ++i) sums[i] = 0.0f;
      const Range lines = PartOf(parts.lines, parts.parts, task);
      for (int64_t line = lines.begin; line < lines.end; ++line) {
        Lines::AddLine(args, line, sums, scratch);
      }
    }
  }

  static int64_t SumTasks(const ConvShape& s) { return CeilDiv(s.in_c, kSumChannels); }
  static void Sum(const ConvGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const DepthwiseParts parts(args.shape);
    for (int64_t task = task_begin; task < task_end; ++task) {
      const int64_t first = task * kSumChannels;
      const int64_t channels = MinInt(kSumChannels, args.shape.in_c - first);
      for (int64_t tap = 0; tap < parts.taps; ++tap) {
        float sums[kSumChannels];
        SumParts(parts, args.partials + tap * parts.channels + first, sums);
        for (int64_t c = 0; c < channels; ++c) {
          args.dw[(first + c) * parts.taps + tap] = sums[c];
        }
      }
    }
  }

 private:
  static void SumParts(const DepthwiseParts& parts, const float* from, float* sums) noexcept {
    for (int64_t c = 0; c < kSumChannels; c += kLanes) {
      F32 sum = Load(from + c);
      for (int64_t part = 1; part < parts.parts; ++part) {
        sum = Add(sum, Load(from + c + part * parts.floats()));
      }
      Store(sums + c, sum);
    }
  }
};

template <typename Lines>
constexpr ConvGradKernel MakeDepthwiseGrad() {
  using G = DepthwiseGrad<Lines>;
  return {.supports = Lines::Supports,
          .cost = nullptr,
          .partial_bytes = G::PartialBytes,
          .tasks = G::Tasks,
          .scratch_bytes = Lines::ScratchBytes,
          .run = G::Run,
          .sum_tasks = G::SumTasks,
          .sum = G::Sum};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
