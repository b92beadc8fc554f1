// The f32 reductions, compiled per ISA: include after kernels/simd/<isa>.h.
//
// Where x ends in a kept loop, a vector holds neighbouring outputs and walks down the reduced
// loops. Where it ends in a reduced loop, vectors walk along it and their lanes are combined at the
// end. Long sums are made of sums of chunks, so that rounding errors don't grow with the length.
#pragma once

#include "kernels/reduce/reduce.h"
#include "kernels/simd/math-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

using Reduce = ReduceFunction;
inline constexpr int64_t kChunk = 256;

template <Reduce kFunction>
PARE_INLINE F32 Begin() {
  if constexpr (kFunction == Reduce::kMax) return Set(-__builtin_inff());
  if constexpr (kFunction == Reduce::kMin) return Set(__builtin_inff());
  return Set(kFunction == Reduce::kProd ? 1.0f : 0.0f);
}

template <Reduce kFunction>
PARE_INLINE F32 Combine(F32 a, F32 b) {
  if constexpr (kFunction == Reduce::kMax) return Select(IsNan(a), a, Max(a, b));
  if constexpr (kFunction == Reduce::kMin) return Select(IsNan(a), a, Min(a, b));
  if constexpr (kFunction == Reduce::kProd) return Mul(a, b);
  return Add(a, b);
}

// What is combined for x; `shift` is the largest x of a kLogSumExp.
template <Reduce kFunction>
PARE_INLINE F32 Term(F32 x, [[maybe_unused]] F32 shift) {
  if constexpr (kFunction == Reduce::kL1) return Abs(x);
  if constexpr (kFunction == Reduce::kL2 || kFunction == Reduce::kSumSquare) return Mul(x, x);
  if constexpr (kFunction == Reduce::kLogSumExp) return Exp(Sub(x, shift));
  return x;
}

template <Reduce kFunction>
PARE_INLINE F32 Finish(F32 x, [[maybe_unused]] F32 shift, [[maybe_unused]] float count) {
  if constexpr (kFunction == Reduce::kMean) return Div(x, Set(count));
  if constexpr (kFunction == Reduce::kL2) return Sqrt(x);
  if constexpr (kFunction == Reduce::kLogSum) return Log(x);
  if constexpr (kFunction == Reduce::kLogSumExp) return Add(Log(x), shift);
  return x;
}

// Infinite maxima shift by nothing: e^(∞ − ∞) has no value.
PARE_INLINE F32 ShiftBy(F32 largest) {
  return Select(Less(Abs(largest), Set(__builtin_inff())), largest, Zero());
}

// A sum with a NaN is one, and a sum of zeros and of what is finite or infinite is none.
PARE_INLINE bool AnyNan(F32 x) {
  const float sum = ReduceAdd(Select(IsNan(x), x, Zero()));
  return sum != sum;
}

// x in the first n lanes and `rest` in the others.
PARE_INLINE F32 FirstLanes(F32 x, int64_t n, F32 rest) {
  static constexpr float kIndex[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  static_assert(kLanes <= 16);
  return Select(Less(Load(kIndex), Set(static_cast<float>(n))), x, rest);
}

PARE_INLINE float FirstLane(F32 x) {
  float lane;
  Store(&lane, x, FirstN(1));
  return lane;
}

// Calls f(offset) for every index of the reduced loops but the innermost.
template <typename F>
PARE_INLINE void ForOuterReduced(const ReduceBox& box, F f) {
  int64_t at[kMaxReduceLoops] = {};
  const int outer = box.reduced - 1;
  int64_t rows = 1, offset = 0;
  for (int i = 0; i < outer; ++i) rows *= box.reduced_size[i];
  for (int64_t r = 0; r < rows; ++r) {
    f(offset);
    for (int i = outer - 1; i >= 0; --i) {
      offset += box.reduced_step[i];
      if (++at[i] < box.reduced_size[i]) break;
      offset -= at[i] * box.reduced_step[i];
      at[i] = 0;
    }
  }
}

PARE_INLINE int64_t KeptOffset(const ReduceBox& box, int64_t output) {
  int64_t offset = 0;
  for (int i = box.kept - 1; i >= 0; --i) {
    offset += output % box.kept_size[i] * box.kept_step[i];
    output /= box.kept_size[i];
  }
  return offset;
}

// kVectors neighbouring outputs from x on, of which the last vector has the lanes of `tail`.
template <Reduce kFunction, int kVectors>
PARE_INLINE void ReduceDown(const ReduceBox& box, const float* x, Tail tail, const F32* shift,
                            F32* out) {
  const int64_t size = box.reduced ? box.reduced_size[box.reduced - 1] : 1;
  const int64_t step = box.reduced ? box.reduced_step[box.reduced - 1] : 0;
  PARE_UNROLL
  for (int v = 0; v < kVectors; ++v) out[v] = Begin<kFunction>();
  ForOuterReduced(box, [&](int64_t offset) {
    for (int64_t begin = 0; begin < size; begin += kChunk) {
      const int64_t end = MinInt(size, begin + kChunk);
      F32 sum[kVectors];
      PARE_UNROLL
      for (int v = 0; v < kVectors; ++v) sum[v] = Begin<kFunction>();
      for (int64_t i = begin; i < end; ++i) {
        const float* row = x + offset + i * step;
        PARE_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          const F32 value =
              v + 1 < kVectors ? Load(row + v * kLanes) : Load(row + v * kLanes, tail);
          sum[v] = Combine<kFunction>(sum[v], Term<kFunction>(value, shift[v]));
        }
      }
      PARE_UNROLL
      for (int v = 0; v < kVectors; ++v) out[v] = Combine<kFunction>(out[v], sum[v]);
    }
  });
}

template <Reduce kFunction, int kVectors>
PARE_INLINE void Columns(const ReduceBox& box, const float* x, float* y, Tail tail) {
  F32 shift[kVectors] = {}, out[kVectors];
  if constexpr (kFunction == Reduce::kLogSumExp) {
    ReduceDown<Reduce::kMax, kVectors>(box, x, tail, shift, shift);
    PARE_UNROLL
    for (int v = 0; v < kVectors; ++v) shift[v] = ShiftBy(shift[v]);
  }
  ReduceDown<kFunction, kVectors>(box, x, tail, shift, out);
  const float count = static_cast<float>(box.inputs_each());
  PARE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const F32 result = Finish<kFunction>(out[v], shift[v], count);
    if (v + 1 < kVectors) {
      Store(y + v * kLanes, result);
    } else {
      Store(y + v * kLanes, result, tail);
    }
  }
}

// The lanes of one vector combined.
template <Reduce kFunction>
PARE_INLINE float CombineLanes(F32 x) {
  if constexpr (kFunction == Reduce::kMax) {
    return AnyNan(x) ? __builtin_nanf("") : ReduceMax(x);
  } else if constexpr (kFunction == Reduce::kMin) {
    return AnyNan(x) ? __builtin_nanf("") : -ReduceMax(Sub(Zero(), x));
  } else if constexpr (kFunction == Reduce::kProd) {
    float lanes[kLanes];
    Store(lanes, x);
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) lanes[i] *= lanes[i + half];
    }
    return lanes[0];
  } else {
    return ReduceAdd(x);
  }
}

// One output: all reduced loops from x on, of which the innermost has the step 1.
template <Reduce kFunction>
PARE_INLINE float ReduceAlong(const ReduceBox& box, const float* x, F32 shift) {
  constexpr int kVectors = 4;
  const int64_t size = box.reduced_size[box.reduced - 1];
  F32 total = Begin<kFunction>();
  ForOuterReduced(box, [&](int64_t offset) {
    const float* row = x + offset;
    for (int64_t begin = 0; begin < size; begin += kChunk * kLanes) {
      const int64_t end = MinInt(size, begin + kChunk * kLanes);
      F32 sum[kVectors];
      PARE_UNROLL
      for (int v = 0; v < kVectors; ++v) sum[v] = Begin<kFunction>();
      int64_t i = begin;
      for (; i + kVectors * kLanes <= end; i += kVectors * kLanes) {
        PARE_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          const F32 term = Term<kFunction>(Load(row + i + v * kLanes), shift);
          sum[v] = Combine<kFunction>(sum[v], term);
        }
      }
      for (; i + kLanes <= end; i += kLanes) {
        sum[0] = Combine<kFunction>(sum[0], Term<kFunction>(Load(row + i), shift));
      }
      if (i < end) {
        const F32 term = Term<kFunction>(Load(row + i, FirstN(end - i)), shift);
        sum[1] = Combine<kFunction>(sum[1], FirstLanes(term, end - i, Begin<kFunction>()));
      }
      const F32 even = Combine<kFunction>(sum[0], sum[2]), odd = Combine<kFunction>(sum[1], sum[3]);
      total = Combine<kFunction>(total, Combine<kFunction>(even, odd));
    }
  });
  return CombineLanes<kFunction>(total);
}

template <Reduce kFunction>
PARE_INLINE void Along(const ReduceBox& box, const float* x, float* y) {
  F32 shift = Zero();
  if constexpr (kFunction == Reduce::kLogSumExp) {
    shift = ShiftBy(Set(ReduceAlong<Reduce::kMax>(box, x, shift)));
  }
  const F32 out = Set(ReduceAlong<kFunction>(box, x, shift));
  *y = FirstLane(Finish<kFunction>(out, shift, static_cast<float>(box.inputs_each())));
}

template <Reduce kFunction>
void RunReduce(const ReduceArgs& args) noexcept {
  const ReduceBox& box = *args.box;
  const float* x = static_cast<const float*>(args.x);
  float* y = static_cast<float*>(args.y);
  if (!box.columns()) {
    for (int64_t i = args.begin; i < args.end; ++i) {
      Along<kFunction>(box, x + KeptOffset(box, i), y + i);
    }
    return;
  }
  const int64_t columns = box.kept_size[box.kept - 1];
  for (int64_t i = args.begin; i < args.end;) {
    const int64_t left = MinInt(args.end - i, columns - i % columns);
    const float* from = x + KeptOffset(box, i);
    if (left >= 4 * kLanes) {
      Columns<kFunction, 4>(box, from, y + i, FirstN(kLanes));
      i += 4 * kLanes;
    } else {
      const int64_t count = MinInt(left, kLanes);
      Columns<kFunction, 1>(box, from, y + i, FirstN(count));
      i += count;
    }
  }
}

inline ReduceRun FindReduceRun(ReduceFunction function) {
  switch (function) {
#define PARE_CASE(name) \
  case Reduce::name:    \
    return RunReduce<Reduce::name>;
    PARE_CASE(kSum)
    PARE_CASE(kMean)
    PARE_CASE(kL1)
    PARE_CASE(kL2)
    PARE_CASE(kSumSquare)
    PARE_CASE(kLogSum)
    PARE_CASE(kLogSumExp)
    PARE_CASE(kMax)
    PARE_CASE(kMin)
    PARE_CASE(kProd)
#undef PARE_CASE
  }
  return nullptr;
}

inline bool SupportsReduce(const ReduceFunction&) { return true; }

inline constexpr ReduceKernel kReduceKernel{
    .supports = SupportsReduce, .cost = nullptr, .find = FindReduceRun};

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
