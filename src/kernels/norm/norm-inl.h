// Normalisations, compiled per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/norm/norm.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

struct Norm {
  // About 8192 elements a task, in whole lines.
  static constexpr int64_t kTaskElements = 8192;
  static int64_t LinesATask(int64_t elements_a_line) {
    return MaxInt(1, kTaskElements / MaxInt(1, elements_a_line));
  }

  static int64_t RowTasks(int64_t rows, int64_t n) { return CeilDiv(rows, LinesATask(n)); }
  static void Rows(const RowNormArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const int64_t step = LinesATask(args.n);
    for (int64_t r = task_begin * step, end = MinInt(task_end * step, args.rows); r < end; ++r) {
      OneRow(args, r);
    }
  }

  static int64_t MomentsTasks(int64_t outer, int64_t n, int64_t inner) {
    const int64_t vectors = inner == 1 ? 1 : CeilDiv(inner, kLanes);
    return CeilDiv(outer * vectors, LinesATask(inner == 1 ? n : n * kLanes));
  }
  static void Moments(const MomentsArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const bool along = args.inner == 1;
    const int64_t vectors = along ? 1 : CeilDiv(args.inner, kLanes);
    const int64_t step = LinesATask(along ? args.n : args.n * kLanes);
    const int64_t end = MinInt(task_end * step, args.outer * vectors);
    for (int64_t i = task_begin * step; i < end; ++i) {
      if (along) {
        const float* x = args.x + i * args.n;
        args.mean[i] = Sum(x, args.n) / static_cast<float>(args.n);
        args.variance[i] = SquaredDeviations(x, args.n, args.mean[i]) / static_cast<float>(args.n);
      } else {
        MomentsAcross(args, i / vectors, i % vectors * kLanes);
      }
    }
  }

  // The same number of tasks for both layouts: of an image's elements, contiguous or not.
  static int64_t AffineTasks(int64_t images, int64_t pixels, int64_t channels) {
    return images * CeilDiv(pixels * channels, kTaskElements);
  }
  static void Affine(const AffineArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const int64_t lines = args.channels_last ? args.pixels : args.channels;
    const int64_t length = args.channels_last ? args.channels : args.pixels;
    const int64_t parts = AffineTasks(1, args.pixels, args.channels);
    for (int64_t task = task_begin; task < task_end; ++task) {
      const int64_t image = task / parts;
      const Range range = PartOf(lines, parts, task % parts);
      const float* scale = args.scale + (args.per_image ? image * args.channels : 0);
      const float* shift = args.shift + (args.per_image ? image * args.channels : 0);
      for (int64_t line = range.begin; line < range.end; ++line) {
        const int64_t at = (image * lines + line) * length;
        if (args.channels_last) {
          AffineLine(args.x + at, scale, shift, args.y + at, length);
        } else {
          AffineLine(args.x + at, Set(scale[line]), Set(shift[line]), args.y + at, length);
        }
      }
    }
  }

 private:
  // Four sums, so that additions don't wait for each other.
  template <typename F>
  static float SumOf(const float* x, int64_t n, F&& f) {
    F32 s0 = Zero(), s1 = Zero(), s2 = Zero(), s3 = Zero();
    int64_t i = 0;
    for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
      s0 = f(s0, Load(x + i));
      s1 = f(s1, Load(x + i + kLanes));
      s2 = f(s2, Load(x + i + 2 * kLanes));
      s3 = f(s3, Load(x + i + 3 * kLanes));
    }
    for (; i + kLanes <= n; i += kLanes) s0 = f(s0, Load(x + i));
    float lanes[kLanes] = {};
    for (int64_t j = 0; i + j < n; ++j) lanes[j] = x[i + j];
    const F32 rest = f(Zero(), Load(lanes));
    Store(lanes, rest);
    float sum = ReduceAdd(Add(Add(s0, s1), Add(s2, s3)));
    for (int64_t j = 0; i + j < n; ++j) sum += lanes[j];
    return sum;
  }
  static float Sum(const float* x, int64_t n) {
    return SumOf(x, n, [](F32 sum, F32 v) { return Add(sum, v); });
  }
  static float Deviations(const float* x, int64_t n, float mean) {
    const F32 centre = Set(mean);
    return SumOf(x, n, [centre](F32 sum, F32 v) { return Add(sum, Sub(v, centre)); });
  }
  static float SquaredDeviations(const float* x, int64_t n, float mean) {
    const F32 centre = Set(mean);
    return SumOf(x, n, [centre](F32 sum, F32 v) {
      const F32 d = Sub(v, centre);
      return Fma(d, d, sum);
    });
  }

  static void OneRow(const RowNormArgs& args, int64_t r) noexcept {
    const float* x = args.x + r * args.n;
    float* y = args.y + r * args.n;
    const float n = static_cast<float>(args.n);
    // What rounding took from the mean is subtracted by itself: beside a large mean it counts.
    const float mean = args.rms ? 0.0f : Sum(x, args.n) / n;
    const float rest = args.rms ? 0.0f : Deviations(x, args.n, mean) / n;
    const float variance = SquaredDeviations(x, args.n, mean) / n - rest * rest;
    const float inverse_std = 1.0f / __builtin_sqrtf(variance + args.eps);
    if (args.mean) args.mean[r] = mean;
    if (args.inverse_std) args.inverse_std[r] = inverse_std;
    const F32 centre = Set(mean), off = Set(rest), factor = Set(inverse_std);
    int64_t i = 0;
    for (; i + kLanes <= args.n; i += kLanes) {
      F32 v = Mul(Sub(Sub(Load(x + i), centre), off), factor);
      if (args.scale) v = Mul(v, Load(args.scale + i));
      if (args.bias) v = Add(v, Load(args.bias + i));
      Store(y + i, v);
    }
    if (i < args.n) {
      const Tail t = FirstN(args.n - i);
      F32 v = Mul(Sub(Sub(Load(x + i, t), centre), off), factor);
      if (args.scale) v = Mul(v, Load(args.scale + i, t));
      if (args.bias) v = Add(v, Load(args.bias + i, t));
      Store(y + i, v, t);
    }
  }

  static void MomentsAcross(const MomentsArgs& args, int64_t outer, int64_t first) noexcept {
    const Tail t = FirstN(MinInt(kLanes, args.inner - first));
    const float* x = args.x + outer * args.n * args.inner + first;
    const F32 n = Set(static_cast<float>(args.n));
    F32 sum = Zero(), squares = Zero();
    for (int64_t i = 0; i < args.n; ++i) sum = Add(sum, Load(x + i * args.inner, t));
    const F32 mean = Div(sum, n);
    for (int64_t i = 0; i < args.n; ++i) {
      const F32 d = Sub(Load(x + i * args.inner, t), mean);
      squares = Fma(d, d, squares);
    }
    const int64_t to = outer * args.inner + first;
    Store(args.mean + to, mean, t);
    Store(args.variance + to, Div(squares, n), t);
  }

  static PARE_INLINE F32 At(F32 same, int64_t) { return same; }
  static PARE_INLINE F32 At(F32 same, int64_t, Tail) { return same; }
  static PARE_INLINE F32 At(const float* p, int64_t i) { return Load(p + i); }
  static PARE_INLINE F32 At(const float* p, int64_t i, Tail t) { return Load(p + i, t); }

  template <typename V>
  static void AffineLine(const float* x, V scale, V shift, float* y, int64_t n) noexcept {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      Store(y + i, Fma(Load(x + i), At(scale, i), At(shift, i)));
    }
    if (i < n) {
      const Tail t = FirstN(n - i);
      Store(y + i, Fma(Load(x + i, t), At(scale, i, t), At(shift, i, t)), t);
    }
  }
};

constexpr NormKernel MakeNorm() {
  return {.supports = [](const NormShape&) { return true; },
          .cost = nullptr,
          .row_tasks = Norm::RowTasks,
          .rows = Norm::Rows,
          .moments_tasks = Norm::MomentsTasks,
          .moments = Norm::Moments,
          .affine_tasks = Norm::AffineTasks,
          .affine = Norm::Affine};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
