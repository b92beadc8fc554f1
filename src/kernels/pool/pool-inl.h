// Pooling, compiled per ISA: include after kernels/simd/<isa>.h. Four vectors of channels pass the
// window together, then single ones; the last is masked.
#pragma once

#include "kernels/pool/pool.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

template <bool kMax>
struct Pool {
  static PARE_INLINE F32 Start() { return kMax ? Set(-__builtin_inff()) : Zero(); }
  static PARE_INLINE F32 Join(F32 sum, F32 x) { return kMax ? Max(sum, x) : Add(sum, x); }

  struct Place {
    const float* first;  // the first input under the window
    int64_t rows, columns, row_step, column_step;
    F32 factor;
  };

  template <int kVectors>
  static PARE_INLINE void Vectors(const Place& p, int64_t c, float* y, Tail t) {
    F32 sums[kVectors];
    PARE_UNROLL
    for (int v = 0; v < kVectors; ++v) sums[v] = Start();
    const float* line = p.first + c;
    for (int64_t ky = 0; ky < p.rows; ++ky, line += p.row_step) {
      const float* x = line;
      for (int64_t kx = 0; kx < p.columns; ++kx, x += p.column_step) {
        PARE_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          sums[v] = Join(sums[v], kVectors == 1 ? Load(x, t) : Load(x + v * kLanes));
        }
      }
    }
    PARE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const F32 result = kMax ? sums[v] : Mul(sums[v], p.factor);
      if (kVectors == 1) {
        Store(y + c, result, t);
      } else {
        Store(y + c + v * kLanes, result);
      }
    }
  }

  static void Run(const PoolArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const PoolShape& s = args.shape;
    const Tail all = FirstN(kLanes);
    for (int64_t task = task_begin; task < task_end; ++task) {
      const int64_t row = task / s.channel_parts(), image = row / s.out_h;
      const Range channels = PartOf(s.channels, s.channel_parts(), task % s.channel_parts());
      for (int64_t x = 0; x < s.out_w; ++x) {
        const PoolWindow w(s, row % s.out_h, x);
        const int64_t in_y = image * s.in_h + w.top + w.rows.begin * s.dilation_h;
        const int64_t in_x = w.left + w.columns.begin * s.dilation_w;
        const Place place{args.x + (in_y * s.in_w + in_x) * s.in_stride,
                          w.rows.size(),
                          w.columns.size(),
                          s.dilation_h * s.in_w * s.in_stride,
                          s.dilation_w * s.in_stride,
                          Set(1.0f / w.count)};
        float* y = args.y + (row * s.out_w + x) * s.out_stride;
        int64_t c = channels.begin;
        for (; c + 4 * kLanes <= channels.end; c += 4 * kLanes) Vectors<4>(place, c, y, all);
        for (; c < channels.end; c += kLanes) {
          Vectors<1>(place, c, y, FirstN(MinInt(kLanes, channels.end - c)));
        }
      }
    }
  }
};

inline void RunPool(const PoolArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  (args.shape.max ? Pool<true>::Run : Pool<false>::Run)(args, task_begin, task_end);
}

constexpr PoolKernel MakePool() {
  return {.supports = [](const PoolShape&) { return true; }, .cost = nullptr, .run = RunPool};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
