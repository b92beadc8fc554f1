// Optimizers' steps, compiled per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/simd/lanes-inl.h"
#include "kernels/update/update.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

struct Update {
  static constexpr int64_t kTaskElements = 16384;
  static int64_t Tasks(int64_t count) { return CeilDiv(count, kTaskElements); }

  static void Sgd(const SgdArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const Range elements = ElementsOf(args, task_begin, task_end);
    if (!args.buffer) return SgdOf<kPlain>(args, elements);
    args.nesterov ? SgdOf<kNesterov>(args, elements) : SgdOf<kMomentum>(args, elements);
  }

  static void AdamW(const AdamWArgs& args, int64_t task_begin, int64_t task_end) noexcept {
    const F32 scale = Set(args.gradient_scale), take1 = Set(1 - args.beta1);
    const F32 beta2 = Set(args.beta2), take2 = Set(1 - args.beta2);
    const F32 root_scale = Set(args.root_scale), epsilon = Set(args.epsilon);
    const F32 rate = Set(args.rate), keep = Set(args.keep);
    ForEachVector(ElementsOf(args, task_begin, task_end), [&](int64_t i, auto lanes) {
      const F32 d = Mul(Get(args.g + i, lanes), scale);
      const F32 old_m = Get(args.m + i, lanes);
      const F32 m = Fma(Sub(d, old_m), take1, old_m);
      const F32 v = Fma(Get(args.v + i, lanes), beta2, Mul(Mul(d, d), take2));
      const F32 move = Div(Mul(rate, m), Fma(Sqrt(v), root_scale, epsilon));
      Put(args.new_m + i, m, lanes);
      Put(args.new_v + i, v, lanes);
      Put(args.new_p + i, Sub(Mul(Get(args.p + i, lanes), keep), move), lanes);
    });
  }

 private:
  enum Form { kPlain, kMomentum, kNesterov };

  template <typename Args>
  static Range ElementsOf(const Args& args, int64_t task_begin, int64_t task_end) {
    return {task_begin * kTaskElements, MinInt(args.count, task_end * kTaskElements)};
  }

  template <Form kForm>
  static void SgdOf(const SgdArgs& args, Range elements) noexcept {
    const F32 rate = Set(args.rate), scale = Set(args.gradient_scale);
    const F32 momentum = Set(args.momentum), decay = Set(args.weight_decay);
    ForEachVector(elements, [&](int64_t i, auto lanes) {
      const F32 p = Get(args.p + i, lanes);
      F32 move = Fma(Get(args.g + i, lanes), scale, Mul(p, decay));
      if constexpr (kForm != kPlain) {
        const F32 buffer = Fma(Get(args.buffer + i, lanes), momentum, move);
        Put(args.new_buffer + i, buffer, lanes);
        move = kForm == kNesterov ? Fma(buffer, momentum, move) : buffer;
      }
      Put(args.new_p + i, Fnma(rate, move, p), lanes);
    });
  }
};

constexpr UpdateKernel MakeUpdate() {
  return {.supports = [](const UpdateShape&) { return true; },
          .cost = nullptr,
          .tasks = Update::Tasks,
          .sgd = Update::Sgd,
          .adamw = Update::AdamW};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
