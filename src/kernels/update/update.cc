#include "kernels/update/update.h"

#include <cmath>
#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference: a task is an element.
void RunSgd(const SgdArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  for (int64_t i = task_begin; i < task_end; ++i) {
    const float d = args.g[i] * args.gradient_scale + args.p[i] * args.weight_decay;
    float move = d;
    if (args.buffer) {
      const float buffer = args.buffer[i] * args.momentum + d;
      move = args.nesterov ? d + buffer * args.momentum : buffer;
      args.new_buffer[i] = buffer;
    }
    args.new_p[i] = args.p[i] - args.rate * move;
  }
}

void RunAdamW(const AdamWArgs& args, int64_t task_begin, int64_t task_end) noexcept {
  for (int64_t i = task_begin; i < task_end; ++i) {
    const float d = args.g[i] * args.gradient_scale;
    const float m = args.m[i] + (d - args.m[i]) * (1 - args.beta1);
    const float v = args.v[i] * args.beta2 + d * d * (1 - args.beta2);
    args.new_m[i] = m;
    args.new_v[i] = v;
    args.new_p[i] =
        args.p[i] * args.keep - args.rate * m / (std::sqrt(v) * args.root_scale + args.epsilon);
  }
}

}  // namespace

extern constexpr UpdateKernel update_f32_scalar{.supports = [](const UpdateShape&) { return true; },
                                                .cost = nullptr,
                                                .tasks = [](int64_t count) { return count; },
                                                .sgd = RunSgd,
                                                .adamw = RunAdamW};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(UpdateKernel, isa, symbol)
#include "kernels/update/update.inc"
#undef PARE_KERNEL

Rows<UpdateKernel> UpdateRows() {
  static constexpr Row<UpdateKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/update/update.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<UpdateKernel>* FindUpdate(const Cpu& cpu) {
  return FindRow(UpdateRows(), cpu, UpdateShape());
}

}  // namespace pare::kernels
