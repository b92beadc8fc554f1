// Softmax, compiled per ISA: include after kernels/simd/<isa>.h.
//
// Where the axis is the last one, a vector runs along it; elsewhere a vector is kLanes neighbouring
// lines, which pass the axis together. Short lines are turned so that they can do the same.
#pragma once

#include "kernels/simd/math-inl.h"
#include "kernels/softmax/softmax.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

struct Softmax {
  static bool Supports(const SoftmaxShape&) { return true; }

  // About 8192 elements a task.
  static constexpr int64_t kTaskElements = 8192;
  static int64_t Lines(const SoftmaxShape& s) { return s.outer * CeilDiv(s.inner, kLanes); }
  static int64_t LinesATask(const SoftmaxShape& s) {
    return MaxInt(1, kTaskElements / MaxInt(1, s.n * (s.inner == 1 ? 1 : kLanes)));
  }
  static int64_t Tasks(const SoftmaxShape& s) { return CeilDiv(Lines(s), LinesATask(s)); }

  static void Run(const SoftmaxArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const SoftmaxShape& s = args.shape;
    const int64_t step = LinesATask(s), lines = Lines(s);
    const int64_t end = MinInt(task_end * step, lines);
    int64_t i = task_begin * step;
    // Lines shorter than a few vectors: kLanes of them side by side.
    for (; s.inner == 1 && s.n <= kShort && i + kLanes <= end; i += kLanes) {
      ShortLines(s, args.x + i * s.n, args.y + i * s.n);
    }
    for (; i < end; ++i) {
      if (s.inner == 1) {
        AlongVector(s, args.x + i * s.n, args.y + i * s.n);
      } else {
        const int64_t vectors = CeilDiv(s.inner, kLanes), first = i % vectors * kLanes;
        const int64_t at = i / vectors * s.n * s.inner + first;
        if (first + kLanes <= s.inner) {
          AcrossVector<false>(s, args.x + at, args.y + at, FirstN(kLanes));
        } else {
          AcrossVector<true>(s, args.x + at, args.y + at, FirstN(s.inner - first));
        }
      }
    }
  }

 private:
  static constexpr int64_t kShort = 16;

  static void ShortLines(const SoftmaxShape& s, const float* x, float* y) noexcept {
    float columns[kShort * kLanes];
    for (int64_t line = 0; line < kLanes; ++line) {
      for (int64_t i = 0; i < s.n; ++i) columns[i * kLanes + line] = x[line * s.n + i];
    }
    const SoftmaxShape across{.n = s.n, .inner = kLanes, .log = s.log};
    AcrossVector<false>(across, columns, columns, FirstN(kLanes));
    for (int64_t line = 0; line < kLanes; ++line) {
      for (int64_t i = 0; i < s.n; ++i) y[line * s.n + i] = columns[i * kLanes + line];
    }
  }

  static void AlongVector(const SoftmaxShape& s, const float* x, float* y) noexcept {
    const int64_t whole = s.n - s.n % kLanes;
    const Tail tail = FirstN(s.n - whole);
    const F32 lowest = Set(-__builtin_inff());
    F32 max = lowest;
    for (int64_t i = 0; i < whole; i += kLanes) max = Max(max, Load(x + i));
    float top = ReduceMax(max);
    for (int64_t i = whole; i < s.n; ++i) top = x[i] > top ? x[i] : top;

    F32 sums = Zero();
    for (int64_t i = 0; i < whole; i += kLanes) {
      const F32 shifted = Sub(Load(x + i), Set(top)), e = Exp(shifted);
      sums = Add(sums, e);
      Store(y + i, s.log ? shifted : e);
    }
    float sum = ReduceAdd(sums);
    if (whole < s.n) {
      const F32 shifted = Sub(Load(x + whole, tail), Set(top)), e = Exp(shifted);
      Store(y + whole, e, tail);
      for (int64_t i = whole; i < s.n; ++i) sum += y[i];
      if (s.log) Store(y + whole, shifted, tail);
    }

    const F32 scale = Set(s.log ? __builtin_logf(sum) : 1.0f / sum);
    const auto finish = [&](F32 v) { return s.log ? Sub(v, scale) : Mul(v, scale); };
    for (int64_t i = 0; i < whole; i += kLanes) Store(y + i, finish(Load(y + i)));
    if (whole < s.n) Store(y + whole, finish(Load(y + whole, tail)), tail);
  }

  // Masks only where they must be: a masked store is slow on AVX2.
  template <bool kTail>
  static PARE_INLINE F32 Get(const float* p, Tail t) {
    return kTail ? Load(p, t) : Load(p);
  }
  template <bool kTail>
  static PARE_INLINE void Put(float* p, F32 x, Tail t) {
    if (kTail) {
      Store(p, x, t);
    } else {
      Store(p, x);
    }
  }

  template <bool kTail>
  static void AcrossVector(const SoftmaxShape& s, const float* x, float* y, Tail t) noexcept {
    F32 max = Set(-__builtin_inff()), sum = Zero();
    for (int64_t i = 0; i < s.n; ++i) max = Max(max, Get<kTail>(x + i * s.inner, t));
    for (int64_t i = 0; i < s.n; ++i) {
      const F32 shifted = Sub(Get<kTail>(x + i * s.inner, t), max), e = Exp(shifted);
      sum = Add(sum, e);
      Put<kTail>(y + i * s.inner, s.log ? shifted : e, t);
    }
    sum = s.log ? Log(sum) : Div(Set(1.0f), sum);
    for (int64_t i = 0; i < s.n; ++i) {
      const F32 v = Get<kTail>(y + i * s.inner, t);
      Put<kTail>(y + i * s.inner, s.log ? Sub(v, sum) : Mul(v, sum), t);
    }
  }
};

constexpr SoftmaxKernel MakeSoftmax() {
  return {
      .supports = Softmax::Supports, .cost = nullptr, .tasks = Softmax::Tasks, .run = Softmax::Run};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
