// The gradient of layer normalisation, compiled per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/layernormgrad/layernormgrad.h"
#include "kernels/simd/lanes-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

struct LayerNormGrad {
  // Parts are long enough that adding them up costs little, and short enough for many threads.
  static constexpr int64_t kPartElements = 16384, kPartRows = 16;
  static int64_t Parts(const LayerNormGradShape& s) {
    return CeilDiv(s.rows, MaxInt(kPartRows, kPartElements / MaxInt(1, s.n)));
  }
  static constexpr int64_t kTaskColumns = 64;
  static int64_t TotalTasks(const LayerNormGradShape& s) { return CeilDiv(s.n, kTaskColumns); }

  static void RunRows(const LayerNormGradArgs& args, int64_t task_begin,
                      int64_t task_end) noexcept {
    const int64_t n = args.shape.n, parts = Parts(args.shape);
    for (int64_t part = task_begin; part < task_end; ++part) {
      float* dscale = args.partial + part * 2 * n;
      for (int64_t i = 0; i < 2 * n; ++i) dscale[i] = 0;
      const Range rows = PartOf(args.shape.rows, parts, part);
      for (int64_t row = rows.begin; row < rows.end; ++row) OneRow(args, row, dscale, dscale + n);
    }
  }

  static void Totals(const LayerNormGradArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const int64_t n = args.shape.n, parts = Parts(args.shape);
    const Range columns{task_begin * kTaskColumns, MinInt(n, task_end * kTaskColumns)};
    ForEachVector(columns, [&](int64_t i, auto lanes) {
      F32 dscale = Zero(), dbias = Zero();
      for (int64_t part = 0; part < parts; ++part) {
        const float* partial = args.partial + part * 2 * n + i;
        dscale = Add(dscale, Get(partial, lanes));
        dbias = Add(dbias, Get(partial + n, lanes));
      }
      Put(args.dscale + i, dscale, lanes);
      Put(args.dbias + i, dbias, lanes);
    });
  }

 private:
  static void OneRow(const LayerNormGradArgs& args, int64_t row, float* dscale,
                     float* dbias) noexcept {
    const int64_t n = args.shape.n;
    const float* x = args.x + row * n;
    const float* dy = args.dy + row * n;
    float* dx = args.dx + row * n;
    const F32 mean = Set(args.mean[row]), inverse_std = Set(args.inverse_std[row]);
    F32 sums = Zero(), products = Zero();
    ForEachVector({0, n}, [&](int64_t i, auto lanes) {
      const F32 g = Get(dy + i, lanes), d = Mul(g, Get(args.scale + i, lanes));
      const F32 normalized = Mul(Sub(Get(x + i, lanes), mean), inverse_std);
      sums = Add(sums, d);
      products = Fma(d, normalized, products);
      Put(dscale + i, Fma(g, normalized, Get(dscale + i, lanes)), lanes);
      Put(dbias + i, Add(g, Get(dbias + i, lanes)), lanes);
    });
    const float one_nth = 1.0f / static_cast<float>(n);
    const F32 sum = Set(ReduceAdd(sums) * one_nth), product = Set(ReduceAdd(products) * one_nth);
    ForEachVector({0, n}, [&](int64_t i, auto lanes) {
      const F32 d = Mul(Get(dy + i, lanes), Get(args.scale + i, lanes));
      const F32 normalized = Mul(Sub(Get(x + i, lanes), mean), inverse_std);
      Put(dx + i, Mul(inverse_std, Fnma(normalized, product, Sub(d, sum))), lanes);
    });
  }
};

constexpr LayerNormGradKernel MakeLayerNormGrad() {
  return {.supports = [](const LayerNormGradShape&) { return true; },
          .cost = nullptr,
          .parts = LayerNormGrad::Parts,
          .rows = LayerNormGrad::RunRows,
          .total_tasks = LayerNormGrad::TotalTasks,
          .totals = LayerNormGrad::Totals};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
