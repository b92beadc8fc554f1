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

// kLanes cells, or the first of them.
template <bool kTail>
PARE_INLINE void LstmVector(const float* gates, int64_t n, float* cells, float* y, Tail t) {
  const auto get = [t](const float* p) { return kTail ? Load(p, t) : Load(p); };
  const F32 in = Sigmoid(get(gates)), out = Sigmoid(get(gates + n));
  const F32 forget = Sigmoid(get(gates + 2 * n)), candidate = Tanh(get(gates + 3 * n));
  const F32 c = Fma(forget, get(cells), Mul(in, candidate)), h = Mul(out, Tanh(c));
  if (kTail) {
    Store(cells, c, t);
    Store(y, h, t);
  } else {
    Store(cells, c);
    Store(y, h);
  }
}

inline void RunLstm(const LstmArgs& args) noexcept {
  const int64_t n = args.shape.hidden, whole = n - n % kLanes;
  const Tail tail = FirstN(n - whole);
  for (int64_t row = 0; row < args.rows; ++row) {
    const float* gates = args.gates + row * 4 * n;
    float* cells = args.c + row * n;
    float* y = args.y + row * n;
    for (int64_t j = 0; j < whole; j += kLanes) {
      LstmVector<false>(gates + j, n, cells + j, y + j, tail);
    }
    if (whole < n) LstmVector<true>(gates + whole, n, cells + whole, y + whole, tail);
  }
}

constexpr RecurrentKernel MakeRecurrent() {
  return {.supports = SupportsCell, .cost = nullptr, .lstm = RunLstm};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
