// Depthwise products whose pairs saturate; compiled per ISA: include after kernels/simd/<isa>.h.
//
// Channels are lanes. A pair is the products of two taps, which lie in two places: there is nothing
// to gain from the instruction that saturates neighbours, so the sums are clamped as int32.
#pragma once

#include "kernels/qconv/qconv-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

// Packed as other convolutions are, a group being one channel; the weights are [taps][channels].
struct DepthwiseKind {
  static constexpr int32_t kInputOffset = 0;
  static constexpr int64_t kPanel = 1;
  static int64_t GroupBytes(const QConvShape& s) { return s.taps(); }
};
using DepthwisePacked = Packed<DepthwiseKind>;

inline void PackDepthwise(const QConvShape& s, const QConvWeights& from, void* packed) noexcept {
  PackHead<DepthwiseKind>(s, from, packed);
  auto* to = Mutable(DepthwisePacked(s, packed).weights);
  for (int64_t t = 0; t < s.taps(); ++t) {
    for (int64_t c = 0; c < s.out_c; ++c) {
      *to++ = static_cast<uint8_t>(from.w[from.transposed ? t * s.out_c + c : c * s.taps() + t]);
    }
  }
}

class DepthwiseRunner {
 public:
  static int64_t PointerBytes(const QConvShape& s) {
    return RoundUp(s.taps() * int64_t{sizeof(uint8_t*)}, kAlignment);
  }
  static int64_t ScratchBytes(const QConvShape& s) {
    return PointerBytes(s) + RoundUp(s.out_c, kAlignment);
  }

  DepthwiseRunner(const QConvArgs& args, void* scratch)
      : args_(args),
        s_(args.shape),
        packed_(args.shape, args.packed),
        weights_(reinterpret_cast<const int8_t*>(packed_.weights)),
        taps_(static_cast<const uint8_t**>(scratch)),
        zeros_(static_cast<uint8_t*>(scratch) + PointerBytes(args.shape)) {
    FillBytes(zeros_, packed_.header->x_zero_point, s_.out_c);
  }

  // A task is a row of output pixels.
  void Task(int64_t task) {
    Window window(args_, 0, task * s_.out_w);
    for (int64_t x = 0; x < s_.out_w; ++x, window.Next()) {
      for (int64_t ky = 0; ky < s_.kernel_h; ++ky) {
        for (int64_t kx = 0; kx < s_.kernel_w; ++kx) {
          const uint8_t* tap = window.Tap(ky, kx);
          taps_[ky * s_.kernel_w + kx] = tap ? tap : zeros_;
        }
      }
      for (int64_t c = 0; c < s_.out_c; c += kLanes) {
        const Tail tail = FirstN(s_.out_c - c);
        Finish(task * s_.out_w + x, c, tail, Sum(c, tail));
      }
    }
  }

 private:
  I32 Inputs(int64_t tap, int64_t c, Tail tail) const {
    const uint8_t* x = taps_[tap] + c;
    return c + kLanes <= s_.out_c ? LoadU8(x) : LoadU8(x, tail);
  }
  I32 Product(int64_t tap, int64_t c, Tail tail) const {
    const int8_t* w = weights_ + tap * s_.out_c + c;
    return Mul(Inputs(tap, c, tail), c + kLanes <= s_.out_c ? LoadS8(w) : LoadS8(w, tail));
  }

  I32 Sum(int64_t c, Tail tail) const {
    const int64_t taps = s_.taps();
    const I32 lowest = Set(int32_t{-32768}), highest = Set(int32_t{32767});
    I32 sum = Load(packed_.bias + c, tail);
    for (int64_t t = 0; t + 1 < taps; t += 2) {
      const I32 pair = Add(Product(t, c, tail), Product(t + 1, c, tail));
      sum = Add(sum, Min(Max(pair, lowest), highest));
    }
    if (taps % 2 != 0) sum = Add(sum, Product(taps - 1, c, tail));
    if (packed_.header->has_w_zero_points) {
      I32 inputs = ZeroI32();
      for (int64_t t = 0; t < taps; ++t) inputs = Add(inputs, Inputs(t, c, tail));
      sum = Sub(sum, Mul(inputs, Load(packed_.w_zero_point + c, tail)));
    }
    return sum;
  }

  void Finish(int64_t pixel, int64_t c, Tail tail, I32 sum) const {
    const int64_t at = pixel * s_.y_stride() + c;
    if (s_.out == QOut::kS32) return Store(static_cast<int32_t*>(args_.y) + at, sum, tail);
    F32 y = Mul(ToFloat(sum), Load(packed_.scale + c, tail));
    if (s_.out == QOut::kF32) return Store(static_cast<float*>(args_.y) + at, y, tail);
    if (args_.residual) {
      const I32 residual = LoadU8(args_.residual + pixel * s_.r_stride() + c, tail);
      y = Add(y, Mul(ToFloat(Sub(residual, Set(args_.residual_zero_point))),
                     Set(args_.residual_scale)));
    }
    const F32 lo = Set(static_cast<float>(args_.lo - args_.y_zero_point));
    const F32 hi = Set(static_cast<float>(args_.hi - args_.y_zero_point));
    const I32 byte = Add(ToInt(Min(Max(y, lo), hi)), Set(args_.y_zero_point));
    StoreU8(static_cast<uint8_t*>(args_.y) + at, byte, tail);
  }

  const QConvArgs& args_;
  const QConvShape& s_;
  const DepthwisePacked packed_;
  const int8_t* weights_;
  const uint8_t** taps_;
  uint8_t* zeros_;
};

inline void RunDepthwise(const QConvArgs& args, int64_t task_begin, int64_t task_end,
                         void* scratch) noexcept {
  DepthwiseRunner runner(args, scratch);
  for (int64_t task = task_begin; task < task_end; ++task) runner.Task(task);
}

constexpr QConvKernel MakeDepthwiseSaturating() {
  return {.supports = [](const QConvShape& s) { return s.depthwise(); },
          .cost = nullptr,
          .packed_bytes = DepthwisePacked::Bytes,
          .pack = PackDepthwise,
          .tasks = [](const QConvShape& s) { return s.batch * s.out_h; },
          .scratch_bytes = DepthwiseRunner::ScratchBytes,
          .run = RunDepthwise};
}

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
