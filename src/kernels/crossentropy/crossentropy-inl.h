// Cross-entropy and the gradient of softmax, compiled per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/crossentropy/crossentropy.h"
#include "kernels/simd/lanes-inl.h"
#include "kernels/simd/math-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

struct CrossEntropy {
  // About 8192 elements a task, in whole rows.
  static int64_t RowsATask(const CrossEntropyShape& s) { return MaxInt(1, 8192 / MaxInt(1, s.n)); }
  static int64_t Tasks(const CrossEntropyShape& s) { return CeilDiv(s.rows, RowsATask(s)); }

  static void Loss(const CrossEntropyArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const int64_t n = args.shape.n;
    ForEachRow(args.shape, task_begin, task_end, [&](int64_t row) {
      const float* x = args.logits + row * n;
      const float* target = args.target + row * n;
      const float max = MaxOf(x, n);
      const float sum = SumOf(n, [&](int64_t i, auto lanes) {
        return Only(lanes, Exp(Sub(Get(x + i, lanes), Set(max))));
      });
      const float log_sum = __builtin_logf(sum);
      args.log_sum[row] = max + log_sum;
      args.loss[row] = SumOf(n, [&](int64_t i, auto lanes) {
        const F32 below = Sub(Set(max), Get(x + i, lanes));
        return Mul(Get(target + i, lanes), Add(below, Set(log_sum)));
      });
    });
  }

  static void Grad(const CrossEntropyGradArgs& args, int64_t task_begin,
                   int64_t task_end) noexcept {
    const int64_t n = args.shape.n;
    ForEachRow(args.shape, task_begin, task_end, [&](int64_t row) {
      const float* target = args.target + row * n;
      const F32 log_sum = Set(args.log_sum[row]), dloss = Set(args.dloss[row]);
      const F32 total =
          Set(SumOf(n, [&](int64_t i, auto lanes) { return Get(target + i, lanes); }));
      ForEachVector({0, n}, [&](int64_t i, auto lanes) {
        const F32 p = Exp(Sub(Get(args.logits + row * n + i, lanes), log_sum));
        const F32 d = Sub(Mul(p, total), Get(target + i, lanes));
        Put(args.dlogits + row * n + i, Mul(d, dloss), lanes);
      });
    });
  }

  static void SoftmaxGrad(const SoftmaxGradArgs& args, int64_t task_begin,
                          int64_t task_end) noexcept {
    const int64_t n = args.shape.n;
    ForEachRow(args.shape, task_begin, task_end, [&](int64_t row) {
      const float* y = args.y + row * n;
      const float* dy = args.dy + row * n;
      const F32 sum = Set(SumOf(
          n, [&](int64_t i, auto lanes) { return Mul(Get(y + i, lanes), Get(dy + i, lanes)); }));
      ForEachVector({0, n}, [&](int64_t i, auto lanes) {
        Put(args.dx + row * n + i, Mul(Get(y + i, lanes), Sub(Get(dy + i, lanes), sum)), lanes);
      });
    });
  }

 private:
  template <typename Use>
  static PARE_INLINE void ForEachRow(const CrossEntropyShape& s, int64_t task_begin,
                                     int64_t task_end, Use&& use) {
    const int64_t step = RowsATask(s), end = MinInt(s.rows, task_end * step);
    for (int64_t row = task_begin * step; row < end; ++row) use(row);
  }

  // v with 0 in the lanes beyond the end.
  static PARE_INLINE F32 Only(Whole, F32 v) { return v; }
  static PARE_INLINE F32 Only(Tail t, F32 v) {
    float lanes[kLanes] = {};
    Store(lanes, v, t);
    return Load(lanes);
  }

  static PARE_INLINE float MaxOf(const float* x, int64_t n) {
    F32 max = Set(x[0]);
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) max = Max(max, Load(x + i));
    float top = ReduceMax(max);
    for (; i < n; ++i) top = x[i] > top ? x[i] : top;
    return top;
  }

  // Of a term that is 0 in the lanes beyond the end, as a product is with what is read there.
  template <typename Term>
  static PARE_INLINE float SumOf(int64_t n, Term&& term) {
    F32 sum = Zero();
    ForEachVector({0, n}, [&](int64_t i, auto lanes) { sum = Add(sum, term(i, lanes)); });
    return ReduceAdd(sum);
  }
};

constexpr CrossEntropyKernel MakeCrossEntropy() {
  return {.supports = [](const CrossEntropyShape&) { return true; },
          .cost = nullptr,
          .tasks = CrossEntropy::Tasks,
          .loss = CrossEntropy::Loss,
          .grad = CrossEntropy::Grad,
          .softmax_grad = CrossEntropy::SoftmaxGrad};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
