// Interpolation along one axis, compiled per ISA: include after kernels/simd/<isa>.h. Vectors run
// along the inner elements, and masks serve the last one alone: a masked store is slow on AVX2. A
// single inner element is left to the scalar row.
#pragma once

#include "kernels/resize/resize.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

struct Resize {
  static bool Supports(const ResizeShape& s) { return s.inner > 1; }

  template <bool kTail>
  static PARE_INLINE void Vector(const ResizeArgs& args, const int32_t* index, const float* weight,
                                 const float* x, float* y, Tail t) {
    F32 sum = Zero();
    for (int64_t tap = 0; tap < args.shape.taps; ++tap) {
      const float* from = x + index[tap] * args.shape.inner;
      sum = Fma(Set(weight[tap]), kTail ? Load(from, t) : Load(from), sum);
    }
    if (kTail) {
      Store(y, sum, t);
    } else {
      Store(y, sum);
    }
  }

  static void Run(const ResizeArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const ResizeShape& s = args.shape;
    const int64_t whole = s.inner - s.inner % kLanes;
    const Tail tail = FirstN(s.inner - whole);
    const int64_t end = MinInt(task_end * s.lines_a_task(), s.outer * s.out);
    for (int64_t line = task_begin * s.lines_a_task(); line < end; ++line) {
      const int32_t* index = args.index + line % s.out * s.taps;
      const float* weight = args.weight + line % s.out * s.taps;
      const float* x = args.x + line / s.out * s.in * s.inner;
      float* y = args.y + line * s.inner;
      if (index[0] < 0) {
        for (int64_t i = 0; i < s.inner; ++i) y[i] = args.outside;
        continue;
      }
      for (int64_t i = 0; i < whole; i += kLanes) {
        Vector<false>(args, index, weight, x + i, y + i, tail);
      }
      if (whole < s.inner) Vector<true>(args, index, weight, x + whole, y + whole, tail);
    }
  }
};

constexpr ResizeKernel MakeResize() {
  return {.supports = Resize::Supports, .cost = nullptr, .run = Resize::Run};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
