#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference. A task is one query; its scores lie in scratch.
bool Supports(const AttentionShape&) { return true; }
int64_t Tasks(const AttentionShape& s) { return s.batch * s.heads * s.q_len; }
int64_t ScratchBytes(const AttentionShape& s) {
  return RoundUp(s.k_len * int64_t{sizeof(double)}, kAlignment);
}

int64_t Offset(const AttentionStrides& strides, int64_t batch, int64_t head, int64_t position) {
  return batch * strides.batch + head * strides.head + position * strides.position;
}

void RunQuery(const AttentionArgs& args, int64_t batch, int64_t head, int64_t query,
              double* scores) noexcept {
  const AttentionShape& s = args.shape;
  const float* q = args.q + Offset(args.q_strides, batch, head, query);
  double greatest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int64_t i = 0; i < s.k_len; ++i) {
    const float* k = args.k + Offset(args.k_strides, batch, head, i);
    double dot = 0;
    for (int64_t e = 0; e < s.d; ++e) dot += double{q[e]} * k[e];
    scores[i] = dot * args.scale;
    // In float, as all rows: a mask of −10³⁸ leaves nothing of the score.
    if (args.mask) {
      scores[i] = static_cast<float>(scores[i] +
                                     args.mask[Offset(args.mask_strides, batch, head, query) + i]);
    }
    greatest = std::max(greatest, scores[i]);
  }
  for (int64_t i = 0; i < s.k_len; ++i) sum += scores[i] = std::exp(scores[i] - greatest);
  float* y = args.y + Offset(args.y_strides, batch, head, query);
  for (int64_t e = 0; e < s.dv; ++e) {
    double value = 0;
    for (int64_t i = 0; i < s.k_len; ++i) {
      value += scores[i] * args.v[Offset(args.v_strides, batch, head, i) + e];
    }
    y[e] = static_cast<float>(value / sum);
  }
}

void Run(const AttentionArgs& args, int64_t task_begin, int64_t task_end, void* scratch) noexcept {
  const AttentionShape& s = args.shape;
  for (int64_t task = task_begin; task < task_end; ++task) {
    RunQuery(args, task / s.q_len / s.heads, task / s.q_len % s.heads, task % s.q_len,
             static_cast<double*>(scratch));
  }
}

}  // namespace

extern constexpr AttentionKernel attention_f32_scalar{.supports = Supports,
                                                      .cost = nullptr,
                                                      .tasks = Tasks,
                                                      .scratch_bytes = ScratchBytes,
                                                      .run = Run};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(AttentionKernel, isa, symbol)
#include "kernels/attention/attention.inc"
#undef PARE_KERNEL

Rows<AttentionKernel> AttentionRows() {
  static constexpr Row<AttentionKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/attention/attention.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<AttentionKernel>* FindAttention(const Cpu& cpu, const AttentionShape& shape) {
  return FindRow(AttentionRows(), cpu, shape);
}

}  // namespace pare::kernels
