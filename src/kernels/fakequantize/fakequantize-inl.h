// Fake quantization and its gradients, compiled per ISA: include after kernels/simd/<isa>.h.
//
// Where numbers of one scale lie side by side (inner > 1) a task is a segment of such a line; where
// they don't, it is some rows of [outer, scales], and each lane has a scale of its own.
#pragma once

#include "kernels/fakequantize/fakequantize.h"
#include "kernels/simd/lanes-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

class FakeQuantize {
 public:
  static int64_t Parts(const FakeQuantizeShape& s) {
    return InRows(s) ? RowBlocks(s) : s.outer * Segments(s);
  }
  static int64_t Tasks(const FakeQuantizeShape& s) {
    return InRows(s) ? RowBlocks(s) : s.outer * s.scales * Segments(s);
  }

  static void Quantize(const FakeQuantizeArgs& args, int64_t task_begin,
                       int64_t task_end) noexcept {
    const Bounds bounds(args.lo, args.hi);
    const auto run = [&](int64_t at, F32 scale, auto lanes) {
      const F32 level = Round(Div(Get(args.x + at, lanes), scale));
      Put(args.y + at, Mul(bounds.Clamp(level), scale), lanes);
    };
    for (int64_t task = task_begin; task < task_end; ++task) {
      if (InRows(args.shape)) {
        ForEachRowOf(args.shape, task, [&](int64_t row) {
          ForEachVector({0, args.shape.scales}, [&](int64_t i, auto lanes) {
            run(row + i, Get(args.scale + i, lanes), lanes);
          });
        });
        continue;
      }
      const Segment segment = SegmentOf(args.shape, task);
      const F32 scale = Set(args.scale[segment.scale]);
      ForEachVector(segment.range, [&](int64_t i, auto lanes) { run(i, scale, lanes); });
    }
  }

  static void Grad(const FakeQuantizeGradArgs& args, int64_t task_begin,
                   int64_t task_end) noexcept {
    for (int64_t task = task_begin; task < task_end; ++task)
      InRows(args.shape) ? GradOfRows(args, task) : GradOfSegment(args, task);
  }

  static void Totals(const FakeQuantizeGradArgs& args) noexcept {
    const int64_t scales = args.shape.scales, parts = Parts(args.shape);
    const F32 by = Set(args.gradient_scale);
    ForEachVector({0, scales}, [&](int64_t i, auto lanes) {
      F32 sum = Zero();
      for (int64_t part = 0; part < parts; ++part)
        sum = Add(sum, Get(args.partial + part * scales + i, lanes));
      Put(args.ds + i, Mul(sum, by), lanes);
    });
  }

 private:
  static constexpr int64_t kTaskElements = 16384;

  struct Bounds {
    F32 lo, hi;
    Bounds(float low, float high) : lo(Set(low)), hi(Set(high)) {}
    // What may be NaN comes second.
    PARE_INLINE F32 Clamp(F32 x) const { return Min(hi, Max(lo, x)); }
  };

  static bool InRows(const FakeQuantizeShape& s) { return s.inner == 1 && s.scales > 1; }
  static int64_t RowsOfBlock(const FakeQuantizeShape& s) {
    return MaxInt(1, kTaskElements / s.scales);
  }
  static int64_t RowBlocks(const FakeQuantizeShape& s) { return CeilDiv(s.outer, RowsOfBlock(s)); }
  static int64_t Segments(const FakeQuantizeShape& s) { return CeilDiv(s.inner, kTaskElements); }

  struct Segment {
    Range range;
    int64_t scale, part;
  };
  // Tasks are in the order of memory.
  static Segment SegmentOf(const FakeQuantizeShape& s, int64_t task) {
    const int64_t segments = Segments(s), line = task / segments, segment = task % segments;
    const Range part = PartOf(s.inner, segments, segment);
    return {{line * s.inner + part.begin, line * s.inner + part.end},
            line % s.scales,
            line / s.scales * segments + segment};
  }

  template <typename Body>
  PARE_INLINE static void ForEachRowOf(const FakeQuantizeShape& s, int64_t block, Body&& body) {
    const int64_t size = RowsOfBlock(s);
    for (int64_t row = block * size; row < MinInt(s.outer, (block + 1) * size); ++row)
      body(row * s.scales);
  }

  // dy · slope of these lanes; stores dx.
  template <typename Lanes>
  PARE_INLINE static F32 GradAt(const FakeQuantizeGradArgs& args, const Bounds& bounds, int64_t at,
                                F32 scale, Lanes lanes) {
    const F32 v = Div(Get(args.x + at, lanes), scale), dy = Get(args.dy + at, lanes);
    const Mask below = Less(v, bounds.lo), above = Less(bounds.hi, v);
    const F32 slope = Select(below, bounds.lo, Select(above, bounds.hi, Sub(Round(v), v)));
    Put(args.dx + at, Select(below, Zero(), Select(above, Zero(), dy)), lanes);
    return Mul(dy, slope);
  }

  static void GradOfSegment(const FakeQuantizeGradArgs& args, int64_t task) noexcept {
    const Bounds bounds(args.lo, args.hi);
    const Segment segment = SegmentOf(args.shape, task);
    const F32 scale = Set(args.scale[segment.scale]);
    F32 sum = Zero();
    ForEachVector(segment.range, [&](int64_t i, auto lanes) {
      sum = Add(sum, GradAt(args, bounds, i, scale, lanes));
    });
    args.partial[segment.part * args.shape.scales + segment.scale] = ReduceAdd(sum);
  }

  static void GradOfRows(const FakeQuantizeGradArgs& args, int64_t block) noexcept {
    const Bounds bounds(args.lo, args.hi);
    float* partial = args.partial + block * args.shape.scales;
    for (int64_t i = 0; i < args.shape.scales; ++i) partial[i] = 0;
    ForEachRowOf(args.shape, block, [&](int64_t row) {
      ForEachVector({0, args.shape.scales}, [&](int64_t i, auto lanes) {
        const F32 part = GradAt(args, bounds, row + i, Get(args.scale + i, lanes), lanes);
        Put(partial + i, Add(Get(partial + i, lanes), part), lanes);
      });
    });
  }
};

constexpr FakeQuantizeKernel MakeFakeQuantize() {
  return {.supports = [](const FakeQuantizeShape&) { return true; },
          .cost = nullptr,
          .tasks = FakeQuantize::Tasks,
          .quantize = FakeQuantize::Quantize,
          .parts = FakeQuantize::Parts,
          .grad_tasks = FakeQuantize::Tasks,
          .grad = FakeQuantize::Grad,
          .totals = FakeQuantize::Totals};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
