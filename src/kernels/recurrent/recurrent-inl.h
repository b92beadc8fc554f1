// The LSTM cell with its usual functions, compiled per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/recurrent/recurrent.h"
#include "kernels/simd/math-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

inline bool SupportsCell(const CellShape& s) {
  using Kind = GateFunction::Kind;
  return s.f.kind == Kind::kSigmoid && s.g.kind == Kind::kTanh && s.h.kind == Kind::kTanh &&
         s.clip == __builtin_inff() && !s.coupled && !s.peephole;
}

inline void RunLstm(const LstmArgs& args) noexcept {
  const int64_t n = args.shape.hidden;
  for (int64_t row = 0; row < args.rows; ++row) {
    const float* gates = args.gates + row * 4 * n;
    float* cells = args.c + row * n;
    float* y = args.y + row * n;
    for (int64_t j = 0; j < n; j += kLanes) {
      const Tail t = FirstN(MinInt(kLanes, n - j));
      const F32 in = Sigmoid(Load(gates + j, t)), out = Sigmoid(Load(gates + n + j, t));
      const F32 forget = Sigmoid(Load(gates + 2 * n + j, t));
      const F32 candidate = Tanh(Load(gates + 3 * n + j, t));
      const F32 c = Fma(forget, Load(cells + j, t), Mul(in, candidate));
      Store(cells + j, c, t);
      Store(y + j, Mul(out, Tanh(c)), t);
    }
  }
}

constexpr RecurrentKernel MakeRecurrent() {
  return {.supports = SupportsCell, .cost = nullptr, .lstm = RunLstm};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
