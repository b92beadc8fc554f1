// Interpolation along one axis, compiled per ISA: include after kernels/simd/<isa>.h. Vectors run
// along the inner elements; a single one is left to the scalar row.
#pragma once

#include "kernels/resize/resize.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

struct Resize {
  static bool Supports(const ResizeShape& s) { return s.inner > 1; }

  static PARE_INLINE void Vector(const ResizeArgs& args, const int32_t* index, const float* weight,
                                 const float* x, float* y, Tail t) {
    F32 sum = Zero();
    for (int64_t tap = 0; tap < args.shape.taps; ++tap) {
      sum = Fma(Set(weight[tap]), Load(x + index[tap] * args.shape.inner, t), sum);
    }
    Store(y, sum, t);
  }

  static void Run(const ResizeArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const ResizeShape& s = args.shape;
    const int64_t end = MinInt(task_end * s.lines_a_task(), s.outer * s.out);
    for (int64_t line = task_begin * s.lines_a_task(); line < end; ++line) {
      const int32_t* index = args.index + line % s.out * s.taps;
      const float* weight = args.weight + line % s.out * s.taps;
      const float* x = args.x + line / s.out * s.in * s.inner;
      float* y = args.y + line * s.inner;
      for (int64_t i = 0; i < s.inner; i += kLanes) {
        const Tail t = FirstN(MinInt(kLanes, s.inner - i));
        if (index[0] < 0) {
          Store(y + i, Set(args.outside), t);
        } else {
          Vector(args, index, weight, x + i, y + i, t);
        }
      }
    }
  }
};

constexpr ResizeKernel MakeResize() {
  return {.supports = Resize::Supports, .cost = nullptr, .run = Resize::Run};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
