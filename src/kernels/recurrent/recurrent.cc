#include "kernels/recurrent/recurrent.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {

float ApplyGate(const GateFunction& f, float clip, float x) noexcept {
  using Kind = GateFunction::Kind;
  x = std::min(std::max(x, -clip), clip);
  switch (f.kind) {
    case Kind::kSigmoid:
      return 1.0f / (1.0f + std::exp(-x));
    case Kind::kTanh:
      return std::tanh(x);
    case Kind::kRelu:
      return std::max(x, 0.0f);
    case Kind::kAffine:
      return f.alpha * x + f.beta;
    case Kind::kLeakyRelu:
      return x < 0 ? f.alpha * x : x;
    case Kind::kThresholdedRelu:
      return x > f.alpha ? x : 0.0f;
    case Kind::kScaledTanh:
      return f.alpha * std::tanh(f.beta * x);
    case Kind::kHardSigmoid:
      return std::min(std::max(f.alpha * x + f.beta, 0.0f), 1.0f);
    case Kind::kElu:
      return x < 0 ? f.alpha * std::expm1(x) : x;
    case Kind::kSoftsign:
      return x / (1.0f + std::fabs(x));
    case Kind::kSoftplus:
      return std::log1p(std::exp(-std::fabs(x))) + std::max(x, 0.0f);
  }
  return x;
}

float GateSlope(const GateFunction& f, float clip, float x) noexcept {
  using Kind = GateFunction::Kind;
  if (x < -clip || x > clip) return 0;
  const float y = ApplyGate(f, clip, x);
  switch (f.kind) {
    case Kind::kSigmoid:
      return y * (1 - y);
    case Kind::kTanh:
      return 1 - y * y;
    case Kind::kRelu:
      return x > 0 ? 1.0f : 0.0f;
    case Kind::kAffine:
      return f.alpha;
    case Kind::kLeakyRelu:
      return x < 0 ? f.alpha : 1.0f;
    case Kind::kThresholdedRelu:
      return x > f.alpha ? 1.0f : 0.0f;
    case Kind::kScaledTanh: {
      const float t = std::tanh(f.beta * x);
      return f.alpha * f.beta * (1 - t * t);
    }
    case Kind::kHardSigmoid:
      return y > 0 && y < 1 ? f.alpha : 0.0f;
    case Kind::kElu:
      return x < 0 ? f.alpha * std::exp(x) : 1.0f;
    case Kind::kSoftsign: {
      const float d = 1 + std::fabs(x);
      return 1 / (d * d);
    }
    case Kind::kSoftplus:
      return 1 / (1 + std::exp(-x));
  }
  return 1;
}

namespace {

void RunLstm(const LstmArgs& args) noexcept {
  const CellShape& s = args.shape;
  const int64_t n = s.hidden;
  constexpr float kNoClip = INFINITY;
  for (int64_t row = 0; row < args.rows; ++row) {
    const float* gates = args.gates + row * 4 * n;
    for (int64_t j = 0; j < n; ++j) {
      float& c = args.c[row * n + j];
      float in = gates[j], out = gates[n + j], forget = gates[2 * n + j];
      if (s.peephole) {
        in += args.peephole[j] * c;
        forget += args.peephole[2 * n + j] * c;
      }
      in = ApplyGate(s.f, s.clip, in);
      forget = s.coupled ? 1.0f - in : ApplyGate(s.f, s.clip, forget);
      c = forget * c + in * ApplyGate(s.g, s.clip, gates[3 * n + j]);
      if (s.peephole) out += args.peephole[n + j] * c;
      args.y[row * n + j] = ApplyGate(s.f, s.clip, out) * ApplyGate(s.h, kNoClip, c);
    }
  }
}

}  // namespace

extern constexpr RecurrentKernel recurrent_f32_scalar{
    .supports = [](const CellShape&) { return true; }, .cost = nullptr, .lstm = RunLstm};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(RecurrentKernel, isa, symbol)
#include "kernels/recurrent/recurrent.inc"
#undef PARE_KERNEL

Rows<RecurrentKernel> RecurrentRows() {
  static constexpr Row<RecurrentKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/recurrent/recurrent.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<RecurrentKernel>* FindRecurrent(const Cpu& cpu, const CellShape& shape) {
  return FindRow(RecurrentRows(), cpu, shape);
}

}  // namespace pare::kernels
