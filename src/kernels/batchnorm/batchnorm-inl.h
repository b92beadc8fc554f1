// Batch normalisation of training, channels-last, compiled per ISA: include after
// kernels/simd/<isa>.h.
//
// Rows (the channels of a pixel) are taken a few together: a vector of channels then reads what
// belongs to the channels once for all of them, and sums stay in registers over them.
#pragma once

#include "kernels/batchnorm/batchnorm.h"
#include "kernels/simd/lanes-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

struct BatchNorm {
  // The channels of a pixel are neighbours.
  static bool Supports(const BatchNormShape& s) { return s.channels_last || s.pixels == 1; }

  // Parts are long enough that adding them up costs little, and short enough for many threads.
  static constexpr int64_t kPartElements = 16384, kPartRows = 64;
  static int64_t Parts(const BatchNormShape& s) {
    return MaxInt(1, s.count() / MaxInt(kPartRows, kPartElements / s.channels));
  }
  static constexpr int64_t kTaskChannels = 64;
  static int64_t ChannelTasks(const BatchNormShape& s) {
    return CeilDiv(s.channels, kTaskChannels);
  }

  // Deviations from a part's first row are summed: that keeps the digits which a large mean would
  // take, in one sweep.
  static void Moments(const BatchNormArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const int64_t channels = args.shape.channels;
    for (int64_t task = task_begin; task < task_end; ++task) {
      const Range rows = RowsOf(args.shape, task);
      const float* first = args.x + rows.begin * channels;
      float* sums = ClearedPartial(args, task);
      float* squares = sums + channels;
      Walk(rows, channels, [&](auto group, int64_t at, int64_t c, auto lanes) {
        const F32 origin = Get(first + c, lanes);
        F32 s[2] = {Get(sums + c, lanes), Zero()}, q[2] = {Get(squares + c, lanes), Zero()};
        PARE_UNROLL
        for (int i = 0; i < group.kRows; ++i) {
          const F32 d = Sub(Get(args.x + at + i * channels, lanes), origin);
          s[i % 2] = Add(s[i % 2], d);
          q[i % 2] = Fma(d, d, q[i % 2]);
        }
        Put(sums + c, Add(s[0], s[1]), lanes);
        Put(squares + c, Add(q[0], q[1]), lanes);
      });
      const F32 one_nth = Set(1.0f / static_cast<float>(rows.size()));
      ForEachVector({0, channels}, [&](int64_t c, auto lanes) {
        const F32 sum = Get(sums + c, lanes), shift = Mul(sum, one_nth);
        Put(sums + c, Add(Get(first + c, lanes), shift), lanes);
        Put(squares + c, Max(Zero(), Fnma(sum, shift, Get(squares + c, lanes))), lanes);
      });
    }
  }

  // Means and squared deviations of parts become those of all (Chan, Golub & LeVeque 1983).
  static void Statistics(const BatchNormArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const BatchNormShape& s = args.shape;
    const auto count = static_cast<float>(s.count());
    const F32 unbiased = Set(1.0f / static_cast<float>(MaxInt(1, s.count() - 1)));
    const F32 keep = Set(args.momentum), take = Set(1 - args.momentum);
    ForEachVector(ChannelsOf(s, task_begin, task_end), [&](int64_t c, auto lanes) {
      const F32 origin = Get(args.partial + c, lanes);
      F32 sum = Zero(), squares = Zero();
      ForEachPart(s, [&](int64_t part, F32 rows) {
        const F32 mean = Get(args.partial + 2 * part * s.channels + c, lanes);
        sum = Fma(rows, Sub(mean, origin), sum);
      });
      const F32 mean = Add(origin, Div(sum, Set(count)));
      ForEachPart(s, [&](int64_t part, F32 rows) {
        const float* of_part = args.partial + 2 * part * s.channels + c;
        const F32 d = Sub(Get(of_part, lanes), mean);
        squares = Add(squares, Fma(Mul(rows, d), d, Get(of_part + s.channels, lanes)));
      });
      const F32 variance = Div(squares, Set(count));
      const F32 std = Sqrt(Add(variance, Set(args.epsilon)));
      Put(args.mean + c, mean, lanes);
      Put(args.inverse_std + c, Div(Set(1.0f), std), lanes);
      if (args.new_running_mean) {
        const F32 old = Get(args.running_mean + c, lanes);
        Put(args.new_running_mean + c, Fma(old, keep, Mul(mean, take)), lanes);
      }
      if (args.new_running_variance) {
        const F32 old = Get(args.running_variance + c, lanes);
        const F32 now = Mul(Mul(squares, unbiased), take);
        Put(args.new_running_variance + c, Fma(old, keep, now), lanes);
      }
    });
  }

  static void Normalize(const BatchNormArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const int64_t channels = args.shape.channels;
    const F32 lo = Set(args.lo), hi = Set(args.hi);
    for (int64_t task = task_begin; task < task_end; ++task) {
      Walk(RowsOf(args.shape, task), channels, [&](auto group, int64_t at, int64_t c, auto lanes) {
        const Affine f(args, c, lanes);
        PARE_UNROLL
        for (int i = 0; i < group.kRows; ++i) {
          const int64_t to = at + i * channels;
          F32 v = f(Get(args.x + to, lanes));
          if (args.residual) v = Add(v, Get(args.residual + to, lanes));
          Put(args.y + to, Min(hi, Max(lo, v)), lanes);
        }
      });
    }
  }

  static void GradSums(const BatchNormGradArgs& args, int64_t task_begin,
                       int64_t task_end) noexcept {
    if (args.y) return SumsBy<ByOutput>(args, task_begin, task_end);
    if (args.bias) return SumsBy<ByInput>(args, task_begin, task_end);
    SumsBy<Everything>(args, task_begin, task_end);
  }

  static void GradTotals(const BatchNormGradArgs& args, int64_t task_begin,
                         int64_t task_end) noexcept {
    const BatchNormShape& s = args.shape;
    ForEachVector(ChannelsOf(s, task_begin, task_end), [&](int64_t c, auto lanes) {
      F32 sum = Zero(), products = Zero();
      ForEachPart(s, [&](int64_t part, F32) {
        const float* of_part = args.partial + 2 * part * s.channels + c;
        sum = Add(sum, Get(of_part, lanes));
        products = Add(products, Get(of_part + s.channels, lanes));
      });
      Put(args.dbias + c, sum, lanes);
      Put(args.dscale + c, Mul(products, Get(args.inverse_std + c, lanes)), lanes);
    });
  }

  static void GradInput(const BatchNormGradArgs& args, int64_t task_begin,
                        int64_t task_end) noexcept {
    if (args.dz) return InputBy<Everything>(args, args.dz, task_begin, task_end);
    if (args.y) return InputBy<ByOutput>(args, args.dy, task_begin, task_end);
    if (args.bias) return InputBy<ByInput>(args, args.dy, task_begin, task_end);
    InputBy<Everything>(args, args.dy, task_begin, task_end);
  }

 private:
  static Range RowsOf(const BatchNormShape& s, int64_t part) {
    return PartOf(s.count(), Parts(s), part);
  }
  static Range ChannelsOf(const BatchNormShape& s, int64_t task_begin, int64_t task_end) {
    return {task_begin * kTaskChannels, MinInt(s.channels, task_end * kTaskChannels)};
  }
  // use(part, how many rows it has, in all lanes)
  template <typename Use>
  static PARE_INLINE void ForEachPart(const BatchNormShape& s, Use&& use) {
    for (int64_t part = 0, parts = Parts(s); part < parts; ++part)
      use(part, Set(static_cast<float>(RowsOf(s, part).size())));
  }
  template <typename Args>
  static float* ClearedPartial(const Args& args, int64_t part) {
    const int64_t size = 2 * args.shape.channels;
    float* partial = args.partial + part * size;
    for (int64_t i = 0; i < size; ++i) partial[i] = 0;
    return partial;
  }

  template <int kCount>
  struct Group {
    static constexpr int kRows = kCount;
  };
  // body(group, where the group's first row has channel c, c, lanes)
  template <typename Body>
  static PARE_INLINE void Walk(Range rows, int64_t channels, Body&& body) {
    constexpr int kTogether = 8;
    int64_t row = rows.begin;
    for (; row + kTogether <= rows.end; row += kTogether) {
      ForEachVector({0, channels}, [&](int64_t c, auto lanes) {
        body(Group<kTogether>(), row * channels + c, c, lanes);
      });
    }
    for (; row < rows.end; ++row) {
      ForEachVector({0, channels},
                    [&](int64_t c, auto lanes) { body(Group<1>(), row * channels + c, c, lanes); });
    }
  }

  // x ↦ (x − mean) · inverse_std · scale + bias: the same bits forward and backward.
  struct Affine {
    template <typename Args, typename Lanes>
    PARE_INLINE Affine(const Args& args, int64_t c, Lanes lanes)
        : factor(Mul(Get(args.scale + c, lanes), Get(args.inverse_std + c, lanes))),
          offset(Fnma(Get(args.mean + c, lanes), factor, Get(args.bias + c, lanes))) {}
    PARE_INLINE F32 operator()(F32 x) const { return Fma(x, factor, offset); }
    F32 factor, offset;
  };

  // Which part of dy passes.
  struct Everything {
    template <typename Lanes>
    PARE_INLINE Everything(const BatchNormGradArgs&, int64_t, Lanes) {}
    template <typename Lanes>
    PARE_INLINE F32 operator()(F32 dy, F32, int64_t, Lanes) const {
      return dy;
    }
  };
  struct Inside {
    PARE_INLINE explicit Inside(const BatchNormGradArgs& args)
        : lo(Set(args.lo)), hi(Set(args.hi)) {}
    PARE_INLINE F32 Keep(F32 dy, F32 y) const {
      return Select(Less(lo, y), Select(Less(y, hi), dy, Zero()), Zero());
    }
    F32 lo, hi;
  };
  struct ByOutput : Inside {
    template <typename Lanes>
    PARE_INLINE ByOutput(const BatchNormGradArgs& args, int64_t, Lanes) : Inside(args), y(args.y) {}
    template <typename Lanes>
    PARE_INLINE F32 operator()(F32 dy, F32, int64_t at, Lanes lanes) const {
      return Keep(dy, Get(y + at, lanes));
    }
    const float* y;
  };
  struct ByInput : Inside {
    template <typename Lanes>
    PARE_INLINE ByInput(const BatchNormGradArgs& args, int64_t c, Lanes lanes)
        : Inside(args), forward(args, c, lanes) {}
    template <typename Lanes>
    PARE_INLINE F32 operator()(F32 dy, F32 x, int64_t, Lanes) const {
      return Keep(dy, forward(x));
    }
    Affine forward;
  };

  template <typename Passing>
  static void SumsBy(const BatchNormGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const int64_t channels = args.shape.channels;
    for (int64_t task = task_begin; task < task_end; ++task) {
      float* sums = ClearedPartial(args, task);
      float* products = sums + channels;
      Walk(RowsOf(args.shape, task), channels, [&](auto group, int64_t at, int64_t c, auto lanes) {
        const Passing passing(args, c, lanes);
        const F32 mean = Get(args.mean + c, lanes);
        F32 s[2] = {Get(sums + c, lanes), Zero()}, p[2] = {Get(products + c, lanes), Zero()};
        PARE_UNROLL
        for (int i = 0; i < group.kRows; ++i) {
          const int64_t from = at + i * channels;
          const F32 x = Get(args.x + from, lanes);
          const F32 dz = passing(Get(args.dy + from, lanes), x, from, lanes);
          s[i % 2] = Add(s[i % 2], dz);
          p[i % 2] = Fma(dz, Sub(x, mean), p[i % 2]);
          if (args.dz) Put(args.dz + from, dz, lanes);
        }
        Put(sums + c, Add(s[0], s[1]), lanes);
        Put(products + c, Add(p[0], p[1]), lanes);
      });
    }
  }

  // dx = scale · inverse_std · dz + x · slope + offset, the last two by channel.
  template <typename Passing>
  static void InputBy(const BatchNormGradArgs& args, const float* dy, int64_t task_begin,
                      int64_t task_end) noexcept {
    const int64_t channels = args.shape.channels;
    const F32 minus_one_nth = Set(-1.0f / static_cast<float>(args.shape.count()));
    for (int64_t task = task_begin; task < task_end; ++task) {
      Walk(RowsOf(args.shape, task), channels, [&](auto group, int64_t at, int64_t c, auto lanes) {
        const Passing passing(args, c, lanes);
        const F32 inverse_std = Get(args.inverse_std + c, lanes);
        const F32 factor = Mul(Get(args.scale + c, lanes), inverse_std);
        const F32 share = Mul(factor, minus_one_nth);
        const F32 slope = Mul(Mul(share, inverse_std), Get(args.dscale + c, lanes));
        const F32 offset =
            Fnma(Get(args.mean + c, lanes), slope, Mul(share, Get(args.dbias + c, lanes)));
        PARE_UNROLL
        for (int i = 0; i < group.kRows; ++i) {
          const int64_t to = at + i * channels;
          const F32 x = Get(args.x + to, lanes);
          const F32 dz = passing(Get(dy + to, lanes), x, to, lanes);
          Put(args.dx + to, Fma(factor, dz, Fma(slope, x, offset)), lanes);
        }
      });
    }
  }
};

constexpr BatchNormKernel MakeBatchNorm() {
  return {.supports = BatchNorm::Supports,
          .cost = nullptr,
          .parts = BatchNorm::Parts,
          .sweep_tasks = BatchNorm::Parts,
          .channel_tasks = BatchNorm::ChannelTasks,
          .moments = BatchNorm::Moments,
          .statistics = BatchNorm::Statistics,
          .normalize = BatchNorm::Normalize,
          .grad_sums = BatchNorm::GradSums,
          .grad_totals = BatchNorm::GradTotals,
          .grad_input = BatchNorm::GradInput};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
