#include "ops/recurrent_cells.h"

#include <algorithm>

namespace pare::ops::recurrent {
namespace {

using kernels::ApplyGate;
using kernels::CellShape;
using kernels::GateSlope;

void ForwardLstm(const Layer& layer, const float* x, const Moment& now,
                 const Moment& next) noexcept {
  const CellShape& s = layer.cell;
  const int64_t n = s.hidden;
  layer.Multiply(now.h, 0, 4 * n, now.sums);
  for (int64_t j = 0; j < 4 * n; ++j) now.sums[j] += x[j];
  for (int64_t j = 0; j < n; ++j) {
    const float in = ApplyGate(s.f, s.clip, now.sums[j]);
    const float out = ApplyGate(s.f, s.clip, now.sums[n + j]);
    const float forget = s.coupled ? 1 - in : ApplyGate(s.f, s.clip, now.sums[2 * n + j]);
    next.c[j] = forget * now.c[j] + in * ApplyGate(s.g, s.clip, now.sums[3 * n + j]);
    next.h[j] = out * ApplyGate(s.h, __builtin_inff(), next.c[j]);
  }
}

// c' = f·c + i·g and h' = o·φ(c').
void BackwardLstm(const Layer& layer, const Moment& now, const Moment& next, float* dh, float* dc,
                  const Gradients& to, float*) noexcept {
  const CellShape& s = layer.cell;
  const int64_t n = s.hidden;
  constexpr float kNoClip = __builtin_inff();
  for (int64_t j = 0; j < n; ++j) {
    const float *i = now.sums + j, *o = i + n, *f = o + n, *g = f + n;
    const float in = ApplyGate(s.f, s.clip, *i), candidate = ApplyGate(s.g, s.clip, *g);
    const float forget = s.coupled ? 1 - in : ApplyGate(s.f, s.clip, *f);
    const float d = dc[j] + dh[j] * ApplyGate(s.f, s.clip, *o) * GateSlope(s.h, kNoClip, next.c[j]);
    const float d_forget = d * now.c[j];
    const float d_in = d * candidate - (s.coupled ? d_forget : 0.0f);
    to.sums[j] = d_in * GateSlope(s.f, s.clip, *i);
    to.sums[n + j] = dh[j] * ApplyGate(s.h, kNoClip, next.c[j]) * GateSlope(s.f, s.clip, *o);
    to.sums[2 * n + j] = s.coupled ? 0.0f : d_forget * GateSlope(s.f, s.clip, *f);
    to.sums[3 * n + j] = d * in * GateSlope(s.g, s.clip, *g);
    dc[j] = d * forget;
  }
  std::fill_n(dh, n, 0.0f);
  layer.AddTransposed(to.sums, 0, 4 * n, dh);
}

void ForwardRnn(const Layer& layer, const float* x, const Moment& now,
                const Moment& next) noexcept {
  const CellShape& s = layer.cell;
  layer.Multiply(now.h, 0, s.hidden, now.sums);
  for (int64_t j = 0; j < s.hidden; ++j) {
    now.sums[j] += x[j];
    next.h[j] = ApplyGate(s.f, s.clip, now.sums[j]);
  }
}

void BackwardRnn(const Layer& layer, const Moment& now, const Moment&, float* dh, float*,
                 const Gradients& to, float*) noexcept {
  const CellShape& s = layer.cell;
  for (int64_t j = 0; j < s.hidden; ++j) to.sums[j] = dh[j] * GateSlope(s.f, s.clip, now.sums[j]);
  std::fill_n(dh, s.hidden, 0.0f);
  layer.AddTransposed(to.sums, 0, s.hidden, dh);
}

// Gates z, r, then the candidate.
void ForwardGru(const Layer& layer, const float* x, const Moment& now,
                const Moment& next) noexcept {
  const CellShape& s = layer.cell;
  const int64_t n = s.hidden;
  float* sums = now.sums + 2 * n;
  layer.Multiply(now.h, 0, 2 * n, now.sums);
  for (int64_t j = 0; j < 2 * n; ++j) now.sums[j] += x[j];
  const auto reset = [&](int64_t j) { return ApplyGate(s.f, s.clip, now.sums[n + j]); };
  if (layer.linear_before_reset) {
    layer.Multiply(now.h, 2 * n, n, now.candidate);
    for (int64_t j = 0; j < n; ++j) sums[j] = x[2 * n + j] + reset(j) * now.candidate[j];
  } else {
    for (int64_t j = 0; j < n; ++j) now.candidate[j] = reset(j) * now.h[j];
    layer.Multiply(now.candidate, 2 * n, n, sums);
    for (int64_t j = 0; j < n; ++j) sums[j] += x[2 * n + j];
  }
  for (int64_t j = 0; j < n; ++j) {
    const float z = ApplyGate(s.f, s.clip, now.sums[j]);
    next.h[j] = (1 - z) * ApplyGate(s.g, s.clip, sums[j]) + z * now.h[j];
  }
}

// h' = (1 − z)·g(candidate) + z·h. `work` has room for a state.
void BackwardGru(const Layer& layer, const Moment& now, const Moment&, float* dh, float*,
                 const Gradients& to, float* work) noexcept {
  const CellShape& s = layer.cell;
  const int64_t n = s.hidden;
  const bool linear = layer.linear_before_reset;
  const auto reset = [&](int64_t j) { return ApplyGate(s.f, s.clip, now.sums[n + j]); };
  for (int64_t j = 0; j < n; ++j) {
    const float z = ApplyGate(s.f, s.clip, now.sums[j]), sum = now.sums[2 * n + j];
    to.sums[j] =
        dh[j] * (now.h[j] - ApplyGate(s.g, s.clip, sum)) * GateSlope(s.f, s.clip, now.sums[j]);
    to.sums[2 * n + j] = dh[j] * (1 - z) * GateSlope(s.g, s.clip, sum);
    to.candidate[j] = to.sums[2 * n + j] * (linear ? reset(j) : 1.0f);
    to.candidate_before[j] = linear ? now.h[j] : now.candidate[j];
    dh[j] *= z;
  }
  // What the candidate's product hands back: to h, or to r · h.
  std::fill_n(work, n, 0.0f);
  layer.AddTransposed(to.candidate, 2 * n, n, work);
  for (int64_t j = 0; j < n; ++j) {
    const float by_reset = linear ? to.sums[2 * n + j] * now.candidate[j] : work[j] * now.h[j];
    to.sums[n + j] = by_reset * GateSlope(s.f, s.clip, now.sums[n + j]);
    dh[j] += linear ? work[j] : work[j] * reset(j);
  }
  layer.AddTransposed(to.sums, 0, 2 * n, dh);
}

}  // namespace

extern constinit const Cell kLstmCell{ForwardLstm, BackwardLstm};
extern constinit const Cell kGruCell{ForwardGru, BackwardGru};
extern constinit const Cell kRnnCell{ForwardRnn, BackwardRnn};

}  // namespace pare::ops::recurrent
