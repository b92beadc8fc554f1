// Quantized element-wise loops, compiled per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/qeltwise/qeltwise.h"
#include "kernels/qeltwise/tasks.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

// Whole vectors and the remainder run the same body: one reads and writes all lanes, the other the
// first ones.
struct AllLanes {
  PARE_INLINE F32 Read(const float* p) const { return Load(p); }
  PARE_INLINE I32 Read(const uint8_t* p) const { return LoadU8(p); }
  PARE_INLINE void Write(float* p, F32 x) const { Store(p, x); }
  PARE_INLINE void Write(uint8_t* p, I32 x) const { StoreU8(p, x); }
};
struct FirstLanes {
  Tail tail;
  PARE_INLINE F32 Read(const float* p) const { return Load(p, tail); }
  PARE_INLINE I32 Read(const uint8_t* p) const { return LoadU8(p, tail); }
  PARE_INLINE void Write(float* p, F32 x) const { Store(p, x, tail); }
  PARE_INLINE void Write(uint8_t* p, I32 x) const { StoreU8(p, x, tail); }
};

// body(lanes, a, b, y) for every vector of every row of some tasks; without kTwo b is null.
template <typename In, typename Out, bool kTwo = false, typename Body>
PARE_INLINE void EachVector(const QEltwiseArgs& args, int64_t task_begin, int64_t task_end,
                            const Body& body) {
  const QEltwiseCut cut(args.rows, args.cols);
  for (int64_t task = task_begin; task < task_end; ++task) {
    const Range rows = cut.RowsOf(task), cols = cut.ColsOf(task);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const In* a = static_cast<const In*>(args.a) + row * args.a_stride + cols.begin;
      const uint8_t* b = kTwo ? args.b + row * args.b_stride + cols.begin * args.b_step : nullptr;
      const int64_t b_step = kTwo ? args.b_step : 0;
      Out* y = static_cast<Out*>(args.y) + row * args.y_stride + cols.begin;
      int64_t i = 0;
      for (; i + kLanes <= cols.size(); i += kLanes) {
        body(AllLanes{}, a + i, b + i * b_step, y + i);
      }
      if (i < cols.size()) {
        body(FirstLanes{FirstN(cols.size() - i)}, a + i, b + i * b_step, y + i);
      }
    }
  }
}

// q() of the contract.
class ToBytes {
 public:
  explicit ToBytes(const QEltwiseArgs& args)
      : lo_(Set(static_cast<float>(args.lo - args.y_zero_point))),
        hi_(Set(static_cast<float>(args.hi - args.y_zero_point))),
        zero_point_(Set(args.y_zero_point)) {}
  PARE_INLINE I32 operator()(F32 x) const { return Add(ToInt(Min(Max(x, lo_), hi_)), zero_point_); }
  PARE_INLINE F32 NanToLo(F32 x) const { return Select(Less(lo_, x), x, lo_); }

 private:
  F32 lo_, hi_;
  I32 zero_point_;
};

inline void RunQuantize(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  const ToBytes to_bytes(args);
  const F32 scale = Set(args.a_scale);
  const I32 flip = Set(int32_t{args.flip});
  EachVector<float, uint8_t>(args, begin, end,
                             [&](auto lanes, const float* a, const uint8_t*, uint8_t* y)
                                 __attribute__((always_inline)) {
                                   const F32 x = to_bytes.NanToLo(Div(lanes.Read(a), scale));
                                   lanes.Write(y, Xor(to_bytes(x), flip));
                                 });
}

inline void RunDequantize(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  const F32 scale = Set(args.a_scale);
  const I32 flip = Set(int32_t{args.flip}), zero_point = Set(args.a_zero_point);
  EachVector<uint8_t, float>(
      args, begin, end,
      [&](auto lanes, const uint8_t* a, const uint8_t*, float* y) __attribute__((always_inline)) {
        lanes.Write(y, Mul(ToFloat(Sub(Xor(lanes.Read(a), flip), zero_point)), scale));
      });
}

inline void RunRequantize(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  const ToBytes to_bytes(args);
  const F32 scale = Set(args.a_scale);
  const I32 zero_point = Set(args.a_zero_point);
  EachVector<uint8_t, uint8_t>(
      args, begin, end,
      [&](auto lanes, const uint8_t* a, const uint8_t*, uint8_t* y) __attribute__((always_inline)) {
        lanes.Write(y, to_bytes(Mul(ToFloat(Sub(lanes.Read(a), zero_point)), scale)));
      });
}

inline void RunAdd(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  const ToBytes to_bytes(args);
  const F32 a_scale = Set(args.a_scale), b_scale = Set(args.b_scale);
  const I32 a_zero_point = Set(args.a_zero_point), b_zero_point = Set(args.b_zero_point);
  const bool one = args.b_step == 0;
  EachVector<uint8_t, uint8_t, true>(
      args, begin, end,
      [&](auto lanes, const uint8_t* a, const uint8_t* b, uint8_t* y)
          __attribute__((always_inline)) {
            const I32 x = Sub(lanes.Read(a), a_zero_point);
            const I32 z = Sub(one ? Set(int32_t{*b}) : lanes.Read(b), b_zero_point);
            lanes.Write(y, to_bytes(Add(Mul(ToFloat(x), a_scale), Mul(ToFloat(z), b_scale))));
          });
}

inline void RunMul(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  const ToBytes to_bytes(args);
  const F32 scale = Set(args.a_scale);
  const I32 a_zero_point = Set(args.a_zero_point), b_zero_point = Set(args.b_zero_point);
  const bool one = args.b_step == 0;
  EachVector<uint8_t, uint8_t, true>(args, begin, end,
                                     [&](auto lanes, const uint8_t* a, const uint8_t* b, uint8_t* y)
                                         __attribute__((always_inline)) {
                                           const I32 x = Sub(lanes.Read(a), a_zero_point);
                                           const I32 z = Sub(one ? Set(int32_t{*b}) : lanes.Read(b),
                                                             b_zero_point);
                                           lanes.Write(y, to_bytes(Mul(ToFloat(Mul(x, z)), scale)));
                                         });
}

// A table lies in the first cache: loading from it byte by byte is not slower than shuffling 256
// bytes.
inline void RunLookup(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  const uint8_t* table = args.table;
  const QEltwiseCut cut(args.rows, args.cols);
  for (int64_t task = begin; task < end; ++task) {
    const Range rows = cut.RowsOf(task), cols = cut.ColsOf(task);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const uint8_t* a = static_cast<const uint8_t*>(args.a) + row * args.a_stride;
      uint8_t* y = static_cast<uint8_t*>(args.y) + row * args.y_stride;
      int64_t i = cols.begin;
      for (; i + 8 <= cols.end; i += 8) {
        uint64_t in, out = 0;
        __builtin_memcpy(&in, a + i, sizeof in);
        PARE_UNROLL for (int j = 0; j < 64; j += 8) out |= uint64_t{table[in >> j & 255]} << j;
        __builtin_memcpy(y + i, &out, sizeof out);
      }
      for (; i < cols.end; ++i) y[i] = table[a[i]];
    }
  }
}

constexpr QEltwiseKernel MakeQEltwise() {
  return {.quantize = RunQuantize,
          .dequantize = RunDequantize,
          .requantize = RunRequantize,
          .add = RunAdd,
          .mul = RunMul,
          .lookup = RunLookup};
}

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
