// LSTM, GRU and RNN: the cells; recurrent.h has the rest.
#include "ops/channels.h"
#include "ops/grad.h"
#include "ops/recurrent.h"

namespace pare::ops {
namespace {

using kernels::ApplyGate;
using namespace recurrent;

Status InferLstm(InferContext& context) { return InferRecurrent(context, 4); }
Status InferGru(InferContext& context) { return InferRecurrent(context, 3); }
Status InferRnn(InferContext& context) { return InferRecurrent(context, 1); }

// work: gates [rows, 4·H].
void StepLstm(const RecurrentState& s, const StepArgs& args, int64_t d, const float* sums, float* h,
              float* c, float* work, void* gemm_scratch) {
  const int64_t width = 4 * s.hidden;
  s.r.Run(args, d, h, sums, width, work, width, gemm_scratch);
  const float* peephole = s.peephole.in<float>(args);
  s.kernel[d]->lstm({.shape = s.cell[d],
                     .rows = s.rows,
                     .gates = work,
                     .peephole = peephole ? peephole + d * 3 * s.hidden : nullptr,
                     .c = c,
                     .y = h});
}

// h' = f(x·w + h·r). work: sums [rows, H].
void StepRnn(const RecurrentState& s, const StepArgs& args, int64_t d, const float* sums, float* h,
             float*, float* work, void* gemm_scratch) {
  s.r.Run(args, d, h, sums, s.hidden, work, s.hidden, gemm_scratch);
  for (int64_t i = 0; i < s.rows * s.hidden; ++i) {
    h[i] = ApplyGate(s.cell[d].f, s.cell[d].clip, work[i]);
  }
}

// Gates z, r, h: h' = (1 − z)·g(candidate) + z·h, where the candidate is
//   x·w + (r·h)·R                  work: sums of z and r [rows, 2·H], r·h and candidate [rows, H]
//   x·w + r·(h·R + its bias)       (linear_before_reset) work: h·R of all gates [rows, 3·H]
void StepGru(const RecurrentState& s, const StepArgs& args, int64_t d, const float* sums, float* h,
             float*, float* work, void* gemm_scratch) {
  const int64_t n = s.hidden, count = s.rows * n;
  const auto& [f, g, clip] = std::tie(s.cell[d].f, s.cell[d].g, s.cell[d].clip);
  const int64_t width = s.linear_before_reset ? 3 * n : 2 * n;
  float* reset = work + s.rows * 2 * n;
  float* candidate = reset + count;
  if (s.linear_before_reset) {
    s.r.Run(args, d, h, nullptr, 0, work, width, gemm_scratch);
  } else {
    s.r.Run(args, d, h, sums, 3 * n, work, width, gemm_scratch);
    for (int64_t i = 0; i < count; ++i) {
      reset[i] = ApplyGate(f, clip, work[i / n * width + n + i % n]) * h[i];
    }
    s.r_candidate.Run(args, d, reset, sums + 2 * n, 3 * n, candidate, n, gemm_scratch);
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = i / n, j = i % n;
    const float* x = sums + row * 3 * n;
    const float* own = work + row * width;
    float z = own[j], next = 0;
    if (s.linear_before_reset) {
      z += x[j];
      const float r = ApplyGate(f, clip, x[n + j] + own[n + j]);
      next = x[2 * n + j] + r * own[2 * n + j];
    } else {
      next = candidate[i];
    }
    z = ApplyGate(f, clip, z);
    h[i] = (1.0f - z) * ApplyGate(g, clip, next) + z * h[i];
  }
}

// The products of one gate layout: all gates at once, biases added to x · w.
Status PackAll(PrepareContext& context, RecurrentState& s) {
  const int64_t width = s.gates * s.hidden;
  PARE_ASSIGN(s.x, PackDirections(context, kW, s.steps * s.batch, 0, width, BiasPart::kBoth, "x"));
  PARE_ASSIGN(s.r, PackDirections(context, kR, s.rows, 0, width, BiasPart::kNone, "r"));
  return {};
}

Status PrepareLstm(PrepareContext& context) {
  PARE_ASSIGN(RecurrentState s, ReadRecurrent(context, 4, {"Sigmoid", "Tanh", "Tanh"}));
  PARE_TRY(PackAll(context, s));
  s.step = StepLstm;
  s.work_floats = s.rows * 4 * s.hidden;
  return AddRecurrentSteps(context, s, kernels::FindRecurrent(context.cpu(), s.cell[0])->name);
}

Status PrepareRnn(PrepareContext& context) {
  PARE_ASSIGN(RecurrentState s, ReadRecurrent(context, 1, {"Tanh"}));
  PARE_TRY(PackAll(context, s));
  s.step = StepRnn;
  s.work_floats = s.rows * s.hidden;
  return AddRecurrentSteps(context, s, "rnn_f32_plain");
}

Status PrepareGru(PrepareContext& context) {
  PARE_ASSIGN(RecurrentState s, ReadRecurrent(context, 3, {"Sigmoid", "Tanh"}));
  s.step = StepGru;
  s.work_floats = s.rows * 4 * s.hidden;
  const int64_t n = s.hidden, width = 3 * n, all = s.steps * s.batch;
  const BiasPart none = BiasPart::kNone;
  if (!s.linear_before_reset) {
    PARE_ASSIGN(s.x, PackDirections(context, kW, all, 0, width, BiasPart::kBoth, "x"));
    PARE_ASSIGN(s.r, PackDirections(context, kR, s.rows, 0, 2 * n, none, "zr"));
    PARE_ASSIGN(s.r_candidate, PackDirections(context, kR, s.rows, 2 * n, n, none, "candidate"));
  } else {
    PARE_ASSIGN(s.x, PackDirections(context, kW, all, 0, width, BiasPart::kW, "x alone"));
    PARE_ASSIGN(s.r, PackDirections(context, kR, s.rows, 0, width, BiasPart::kR, "r alone"));
  }
  return AddRecurrentSteps(context, s, "gru_f32_plain");
}

constexpr QuantRule kQuant{.keep_float = "errors of 8 bits add up from step to step in time"};
constexpr Slots kStates{{{"x"},
                         {"w"},
                         {"r"},
                         {"b", Presence::kOptional},
                         {"sequence_lens", Presence::kOptional},
                         {"initial_h", Presence::kOptional}}};

Status GradLstm(GradContext& g) { return GradRecurrent(g, "pare.LstmGrad", 4); }
Status GradGru(GradContext& g) { return GradRecurrent(g, "pare.GruGrad", 3); }
Status GradRnn(GradContext& g) { return GradRecurrent(g, "pare.RnnGrad", 1); }

// A hidden unit is a row of each gate, a column of the recurrent weights, and a place in all states
// and outputs. In every operand the units are the last axis, or the gates times the units.
void TieRecurrent(ChannelContext& c) {
  const Place unit = In(2, 2);
  c.Tie(In(0, 2), In(1, 2));
  for (int operand : {1, 2}) c.TieFactor(In(operand, 1), unit, 1);
  c.TieFactor(In(3, 1), unit, 1);
  c.TieFactor(In(7, 1), unit, 1);
  for (int state : {5, 6}) c.Tie(In(state, 2), unit);
  for (int output = 0; output < c.outputs(); ++output) {
    c.Tie(Out(c.rank(-1 - output) - 1, output), unit);
  }
  c.Sums(unit);
  for (int operand : {1, 2, 3}) c.Makes(In(operand, 1));
}

Status EditRecurrent(ChannelEdit& e) {
  if (e.attrs().has("hidden_size")) e.SetAttr("hidden_size", e.new_size(In(2, 2)));
  return {};
}

int64_t FanInOfRecurrent(const NodeView& view, int input) {
  return input == kW || input == kR ? view.input(input).dims()[2] : 0;
}

}  // namespace

extern constinit const OpDef kLstm{
    .name = "LSTM",
    .inputs = {{{"x"},
                {"w"},
                {"r"},
                {"b", Presence::kOptional},
                {"sequence_lens", Presence::kOptional},
                {"initial_h", Presence::kOptional},
                {"initial_c", Presence::kOptional},
                {"p", Presence::kOptional}}},
    .outputs = {{{"y", Presence::kOptional},
                 {"y_h", Presence::kOptional},
                 {"y_c", Presence::kOptional}}},
    .infer = InferLstm,
    .prepare = PrepareLstm,
    .grad = {.emit = GradLstm, .parameters = Inputs({1, 2, 3}), .fan_in = FanInOfRecurrent},
    .quant = kQuant,
    .channels = {.tie = TieRecurrent, .edit = EditRecurrent},
    .cost = CostOfRecurrent,
    .accuracy = Accuracy::kApproximate};

extern constinit const OpDef kGru{
    .name = "GRU",
    .inputs = kStates,
    .outputs = {{{"y", Presence::kOptional}, {"y_h", Presence::kOptional}}},
    .infer = InferGru,
    .prepare = PrepareGru,
    .grad = {.emit = GradGru, .parameters = Inputs({1, 2, 3}), .fan_in = FanInOfRecurrent},
    .quant = kQuant,
    .channels = {.tie = TieRecurrent, .edit = EditRecurrent},
    .cost = CostOfRecurrent,
    .accuracy = Accuracy::kApproximate};

extern constinit const OpDef kRnn{
    .name = "RNN",
    .inputs = kStates,
    .outputs = {{{"y", Presence::kOptional}, {"y_h", Presence::kOptional}}},
    .infer = InferRnn,
    .prepare = PrepareRnn,
    .grad = {.emit = GradRnn, .parameters = Inputs({1, 2, 3}), .fan_in = FanInOfRecurrent},
    .quant = kQuant,
    .channels = {.tie = TieRecurrent, .edit = EditRecurrent},
    .cost = CostOfRecurrent,
    .accuracy = Accuracy::kApproximate};

}  // namespace pare::ops
