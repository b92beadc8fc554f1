// One step in time of recurrent layers, after the matrix products: gates → new state.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

struct GateFunction {
  enum class Kind : uint8_t {
    kSigmoid,
    kTanh,
    kRelu,             // max(x, 0)
    kAffine,           // alpha · x + beta
    kLeakyRelu,        // x < 0 ? alpha · x : x
    kThresholdedRelu,  // x > alpha ? x : 0
    kScaledTanh,       // alpha · tanh(beta · x)
    kHardSigmoid,      // min(max(alpha · x + beta, 0), 1)
    kElu,              // x < 0 ? alpha · (e^x − 1) : x
    kSoftsign,         // x / (1 + |x|)
    kSoftplus,         // ln(1 + e^x)
  };
  Kind kind = Kind::kSigmoid;
  float alpha = 0, beta = 0;
};

// What a cell does with its gates, in ONNX's terms: f, g, h are the functions of the gates, of the
// candidate and of the cell; sums are clamped to ±clip before f and g.
struct CellShape {
  int64_t hidden = 0;
  GateFunction f{}, g{GateFunction::Kind::kTanh}, h{GateFunction::Kind::kTanh};
  float clip = __builtin_inff();
  bool coupled = false;   // LSTM: forget = 1 − input
  bool peephole = false;  // LSTM
};

// LSTM: gates i, o, f, c lie one after another, hidden each.
//   c' = f(f [+ Pf · c]) · c + f(i [+ Pi · c]) · g(c),   h' = f(o [+ Po · c']) · h(c')
struct LstmArgs {
  CellShape shape;
  int64_t rows = 0;
  const float* gates = nullptr;     // [rows, 4 · hidden]
  const float* peephole = nullptr;  // [3 · hidden]: Pi, Po, Pf
  float* c = nullptr;               // [rows, hidden], replaced
  float* y = nullptr;               // [rows, hidden]: h'
};

struct RecurrentKernel {
  bool (*supports)(const CellShape&);
  double (*cost)(const CellShape&);
  void (*lstm)(const LstmArgs&) noexcept;
};

Rows<RecurrentKernel> RecurrentRows();

// Never null: the scalar row takes every shape.
const Row<RecurrentKernel>* FindRecurrent(const Cpu& cpu, const CellShape& shape);

// f(clamp(x)), of one value: GRU and RNN are computed with it.
float ApplyGate(const GateFunction& f, float clip, float x) noexcept;
// Its derivative by x; at a kink that of one side.
float GateSlope(const GateFunction& f, float clip, float x) noexcept;

}  // namespace pare::kernels
