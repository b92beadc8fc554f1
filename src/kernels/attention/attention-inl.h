// Attention, compiled per ISA: include after kernels/simd/<isa>.h.
//
// A task is a block of queries of one head. It packs the head's keys and values as the B of two
// matrix products (gemm/tile-inl.h), then takes a few rows of queries at a time: scores, softmax
// without the division, and the product with the values, whose rows are divided at the end. The
// scores of those rows never leave the first caches.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/gemm/tile-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

template <typename T>
struct Attention {
  static bool Supports(const AttentionShape&) { return true; }

  // Long enough that packing keys and values is a small part of a task.
  static int64_t BlocksOf(const AttentionShape& s) { return CeilDiv(s.q_len, 256); }
  static int64_t Tasks(const AttentionShape& s) { return s.batch * s.heads * BlocksOf(s); }

  static Panels<T> Keys(const AttentionShape& s) { return {s.k_len, s.d}; }
  static Panels<T> Values(const AttentionShape& s) { return {s.dv, s.k_len}; }
  // Rows of scores are padded so that they don't fall into one set of the cache.
  static int64_t ScoreStride(const AttentionShape& s) { return RoundUp(s.k_len, 16) + 16; }
  static int64_t ScratchBytes(const AttentionShape& s) {
    return Keys(s).bytes() + Values(s).bytes() + T::kRows * ScoreStride(s) * 4;
  }

  static void Run(const AttentionArgs& args, int64_t task_begin, int64_t task_end,
                  void* scratch) noexcept {
    const AttentionShape& s = args.shape;
    const int64_t blocks = BlocksOf(s);
    float* keys = static_cast<float*>(scratch);
    float* values = keys + Keys(s).bytes() / 4;
    float* scores = values + Values(s).bytes() / 4;
    int64_t packed = -1;  // the head whose keys and values are packed
    for (int64_t task = task_begin; task < task_end; ++task) {
      const Head head(args, task / blocks);
      if (task / blocks != packed) {
        packed = task / blocks;
        Keys(s).Pack(head.k, 1, args.k_strides.position, nullptr, {0, Keys(s).count()}, keys);
        Values(s).Pack(head.v, args.v_strides.position, 1, nullptr, {0, Values(s).count()}, values);
      }
      const Range queries = PartOf(s.q_len, blocks, task % blocks);
      const int64_t tiles = CeilDiv(queries.size(), T::kRows);
      for (int64_t t = 0; t < tiles; ++t) {
        const Range part = PartOf(queries.size(), tiles, t);
        RunRows(args, head, {queries.begin + part.begin, queries.begin + part.end}, keys, values,
                scores);
      }
    }
  }

 private:
  // Where a head's operands start.
  struct Head {
    const float *q, *k, *v, *mask;
    float* y;

    Head(const AttentionArgs& args, int64_t index) {
      const int64_t b = index / args.shape.heads, h = index % args.shape.heads;
      q = args.q + b * args.q_strides.batch + h * args.q_strides.head;
      k = args.k + b * args.k_strides.batch + h * args.k_strides.head;
      v = args.v + b * args.v_strides.batch + h * args.v_strides.head;
      y = args.y + b * args.y_strides.batch + h * args.y_strides.head;
      mask = args.mask;
      if (mask) mask += b * args.mask_strides.batch + h * args.mask_strides.head;
    }
  };

  // A product of `rows` rows of A, lda apart, with all panels.
  static void Multiply(const Panels<T>& panels, const float* packed, const float* a, int64_t lda,
                       int64_t rows, float* c, int64_t ldc) noexcept {
    const float* pointers[T::kRows];
    for (int64_t r = 0; r < rows; ++r) pointers[r] = a + r * lda;
    TileArgs tile{.rows = pointers,
                  .segments = 1,
                  .k = panels.k,
                  .bias = nullptr,
                  .panel = nullptr,
                  .panel_stride = 0,
                  .columns = 0,
                  .out = {.c = c, .ldc = ldc, .residual = nullptr, .ldr = 0, .activation = {}}};
    for (int64_t panel = 0; panel < panels.count(); ++panel, tile.out.c += T::kColumns) {
      const int64_t vectors = panels.Select(packed, panel, tile);
      T::Find(rows, vectors)(tile);
    }
  }

  static void RunRows(const AttentionArgs& args, const Head& head, Range queries, const float* keys,
                      const float* values, float* scores) noexcept {
    const AttentionShape& s = args.shape;
    const int64_t rows = queries.size(), stride = ScoreStride(s);
    Multiply(Keys(s), keys, head.q + queries.begin * args.q_strides.position,
             args.q_strides.position, rows, scores, stride);
    float sums[T::kRows];
    for (int64_t r = 0; r < rows; ++r) {
      const float* mask = head.mask;
      if (mask) mask += (queries.begin + r) * args.mask_strides.position;
      sums[r] = Exponentials(scores + r * stride, mask, args.scale, s.k_len);
    }
    float* y = head.y + queries.begin * args.y_strides.position;
    Multiply(Values(s), values, scores, stride, rows, y, args.y_strides.position);
    for (int64_t r = 0; r < rows; ++r) Scale(y + r * args.y_strides.position, 1 / sums[r], s.dv);
  }

  // In place: e^(scale · x + mask - their maximum). Returns the sum.
  static float Exponentials(float* x, const float* mask, float scale, int64_t n) noexcept {
    const F32 factor = Set(scale);
    const int64_t whole = n / kLanes * kLanes;
    const Tail tail = FirstN(n - whole);
    F32 greatest = Set(-__builtin_inff());
    for (int64_t i = 0; i < whole; i += kLanes) {
      F32 score = Mul(Load(x + i), factor);
      if (mask) score = Add(score, Load(mask + i));
      Store(x + i, score);
      greatest = Max(greatest, score);
    }
    float top = ReduceMax(greatest);
    for (int64_t i = whole; i < n; ++i) {
      x[i] = x[i] * scale + (mask ? mask[i] : 0.0f);
      top = top > x[i] ? top : x[i];
    }
    F32 sum = Zero();
    for (int64_t i = 0; i < whole; i += kLanes) {
      const F32 e = Exp(Sub(Load(x + i), Set(top)));
      Store(x + i, e);
      sum = Add(sum, e);
    }
    float total = ReduceAdd(sum);
    if (whole < n) {
      Store(x + whole, Exp(Sub(Load(x + whole, tail), Set(top))), tail);
      for (int64_t i = whole; i < n; ++i) total += x[i];
    }
    return total;
  }

  static void Scale(float* x, float factor, int64_t n) noexcept {
    const int64_t whole = n / kLanes * kLanes;
    for (int64_t i = 0; i < whole; i += kLanes) Store(x + i, Mul(Load(x + i), Set(factor)));
    for (int64_t i = whole; i < n; ++i) x[i] *= factor;
  }
};

template <typename T>
constexpr AttentionKernel MakeAttention() {
  using A = Attention<T>;
  return {.supports = A::Supports,
          .cost = nullptr,
          .tasks = A::Tasks,
          .scratch_bytes = A::ScratchBytes,
          .run = A::Run};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
