// Gradients of LSTM, GRU and RNN: back-propagation through time (Werbos, "Backpropagation through
// time: what it does and how to do it", Proc. IEEE 78(10), 1990).
//
// pare.LstmGrad, pare.GruGrad and pare.RnnGrad go through each sequence forwards once more, keep
// what every step read, and then go backwards. They give the gradients of the gates' sums and of
// the initial states; those of the weights and of x follow by matrix products, which are nodes of
// their own.
//
//   inputs   sums [D, T·B, G·H] = x · wᵀ + w's bias, r [D, G·H, H], r's bias [D, G·H], lengths [B],
//            initial h and c, the gradients of y, y_h, y_c; attributes as the operator's, and
//            `batch`
//   outputs  gradient of the sums; h before each step [D, T·B, H]; gradient of the initial h; then
//            LSTM: that of the initial c. GRU: the gradient of the candidate's product with r, and
//            what it is a product of [D, T·B, H]
#include <algorithm>

#include "ops/channels.h"
#include "ops/grad.h"
#include "ops/recurrent.h"
#include "ops/recurrent_cells.h"

namespace pare::ops {
namespace {

using kernels::CellShape;
using namespace recurrent;

enum Input { kSums, kRecurrent, kBias, kLens, kH, kC, kDY, kDYH, kDYC };
enum Output { kDSums, kBefore, kDH, kDC, kDCandidate = 3, kCandidateBefore };

struct State {
  int64_t steps, batch, hidden, gates, directions;
  std::array<bool, 2> reverse;
  std::array<CellShape, 2> cells;
  bool linear_before_reset;
  Cell cell;
  OptionalInput bias, lengths, h, c, dy, dy_h, dy_c;

  int64_t moment_floats() const { return (gates + 3) * hidden; }
  int64_t scratch_floats() const { return (steps + 1) * moment_floats() + 3 * hidden; }
};

// One sequence in one direction.
class Sequence {
 public:
  Sequence(const State& s, const StepArgs& args, int64_t d, int64_t item, int64_t length)
      : s_(s), args_(args), d_(d), item_(item), length_(length) {
    const int64_t width = s.gates * s.hidden;
    const float* bias = s.bias.in<float>(args);
    layer_ = {.cell = s.cells[d],
              .linear_before_reset = s.linear_before_reset,
              .r = args.in<float>(kRecurrent) + d * width * s.hidden,
              .bias = bias ? bias + d * width : nullptr};
    dh_ = static_cast<float*>(args.scratch) + (s.steps + 1) * s.moment_floats();
    dc_ = dh_ + s.hidden;
    work_ = dc_ + s.hidden;
  }

  void Forward() {
    Load(s_.h, StateAt(), At(0).h);
    Load(s_.c, StateAt(), At(0).c);
    for (int64_t i = 0; i < length_; ++i) {
      const float* x = args_.in<float>(kSums) + Row(Time(i)) * s_.gates * s_.hidden;
      s_.cell.forward(layer_, x, At(i), At(i + 1));
    }
  }

  void Backward() {
    Load(s_.dy_h, StateAt(), dh_);
    Load(s_.dy_c, StateAt(), dc_);
    const float* dy = s_.dy.in<float>(args_);
    for (int64_t i = length_; i-- > 0;) {
      const int64_t t = Time(i), row = Row(t);
      if (dy) {
        const float* from = dy + ((t * s_.directions + d_) * s_.batch + item_) * s_.hidden;
        for (int64_t j = 0; j < s_.hidden; ++j) dh_[j] += from[j];
      }
      std::copy_n(At(i).h, s_.hidden, args_.out<float>(kBefore) + row * s_.hidden);
      s_.cell.backward(layer_, At(i), At(i + 1), dh_, dc_, GradientsOf(row), work_);
    }
    std::copy_n(dh_, s_.hidden, args_.out<float>(kDH) + StateAt());
    if (s_.gates == 4) std::copy_n(dc_, s_.hidden, args_.out<float>(kDC) + StateAt());
    for (int64_t t = length_; t < s_.steps; ++t) Clear(Row(t));
  }

 private:
  int64_t Time(int64_t i) const { return s_.reverse[d_] ? length_ - 1 - i : i; }
  int64_t Row(int64_t t) const { return (d_ * s_.steps + t) * s_.batch + item_; }
  int64_t StateAt() const { return (d_ * s_.batch + item_) * s_.hidden; }
  Moment At(int64_t i) const {
    float* at = static_cast<float*>(args_.scratch) + i * s_.moment_floats();
    return {at, at + s_.hidden, at + 3 * s_.hidden, at + 2 * s_.hidden};
  }
  Gradients GradientsOf(int64_t row) const {
    Gradients to{.sums = args_.out<float>(kDSums) + row * s_.gates * s_.hidden,
                 .candidate = nullptr,
                 .candidate_before = nullptr};
    if (s_.gates == 3) {
      to.candidate = args_.out<float>(kDCandidate) + row * s_.hidden;
      to.candidate_before = args_.out<float>(kCandidateBefore) + row * s_.hidden;
    }
    return to;
  }
  void Load(const OptionalInput& input, int64_t at, float* to) const {
    const float* from = input.in<float>(args_);
    for (int64_t j = 0; j < s_.hidden; ++j) to[j] = from ? from[at + j] : 0.0f;
  }
  // A step behind the sequence's end.
  void Clear(int64_t row) const {
    const Gradients to = GradientsOf(row);
    std::fill_n(to.sums, s_.gates * s_.hidden, 0.0f);
    std::fill_n(args_.out<float>(kBefore) + row * s_.hidden, s_.hidden, 0.0f);
    if (!to.candidate) return;
    std::fill_n(to.candidate, s_.hidden, 0.0f);
    std::fill_n(to.candidate_before, s_.hidden, 0.0f);
  }

  const State& s_;
  const StepArgs& args_;
  int64_t d_, item_, length_;
  Layer layer_;
  float *dh_, *dc_, *work_;
};

void Run(const StepArgs& args) noexcept {
  const auto& s = *static_cast<const State*>(args.state);
  const int32_t* lengths = s.lengths.in<int32_t>(args);
  for (int64_t task = args.begin; task < args.end; ++task) {
    const int64_t item = task % s.batch, length = lengths ? lengths[item] : s.steps;
    if (length < 0 || length > s.steps) {
      args.fault->Raise("sequence_lens holds a length that x does not have", length);
      return;
    }
    Sequence sequence(s, args, task / s.batch, item, length);
    sequence.Forward();
    sequence.Backward();
  }
}

Status Infer(InferContext& context) {
  if (!context.input(kSums).is_static() || !context.input(kRecurrent).is_static())
    return Unsupported("its shapes must be known");
  const Dims sums = context.input(kSums).dims(), r = context.input(kRecurrent).dims();
  const int64_t batch = context.attrs().i("batch", 0);
  if (sums.size() != 3 || r.size() != 3 || batch < 1) return Invalid("its operands don't fit");
  const graph::Shape rows{sums[0], sums[1], r[2]}, state{r[0], batch, r[2]};
  const bool gru = r[2] > 0 && r[1] / r[2] == 3;
  context.set_output(kDSums, DType::kF32, *context.shape(kSums));
  context.set_output(kBefore, DType::kF32, rows);
  context.set_output(kDH, DType::kF32, state);
  context.set_output(kDC, DType::kF32, gru ? rows : state);  // kDCandidate
  context.set_output(kCandidateBefore, DType::kF32, rows);
  return {};
}

Status Prepare(PrepareContext& context, Cell cell,
               std::initializer_list<std::string_view> functions, std::string_view kernel) {
  const graph::Attrs& attrs = context.attrs();
  const Dims sums = context.shape(kSums), r = context.shape(kRecurrent);
  const int64_t batch = attrs.i("batch", 1), hidden = r[2];
  PARE_ASSIGN(const auto reverse, ReadReverse(attrs));
  PARE_ASSIGN(const auto cells, ReadCells(attrs, r[0], hidden, functions));
  const State state{.steps = sums[1] / batch,
                    .batch = batch,
                    .hidden = hidden,
                    .gates = r[1] / std::max<int64_t>(1, hidden),
                    .directions = r[0],
                    .reverse = reverse,
                    .cells = cells,
                    .linear_before_reset = attrs.i("linear_before_reset", 0) != 0,
                    .cell = cell,
                    .bias = {context, kBias},
                    .lengths = {context, kLens},
                    .h = {context, kH},
                    .c = {context, kC},
                    .dy = {context, kDY},
                    .dy_h = {context, kDYH},
                    .dy_c = {context, kDYC}};
  AddStepIfAny(context,
               {.run = Run,
                .state = context.State(state),
                .tasks = hidden == 0 ? 0 : r[0] * batch,
                .scratch_bytes = static_cast<size_t>(state.scratch_floats()) * sizeof(float),
                .kernel = kernel});
  return {};
}

Status PrepareLstmGrad(PrepareContext& context) {
  return Prepare(context, kLstmCell, {"Sigmoid", "Tanh", "Tanh"}, "lstm_grad_f32_plain");
}
Status PrepareGruGrad(PrepareContext& context) {
  return Prepare(context, kGruCell, {"Sigmoid", "Tanh"}, "gru_grad_f32_plain");
}
Status PrepareRnnGrad(PrepareContext& context) {
  return Prepare(context, kRnnCell, {"Tanh"}, "rnn_grad_f32_plain");
}

// Forwards and backwards, each as much as the layer.
Cost CostOfGrad(const NodeView& view) {
  return {.macs = Work({2, OutputCount(view), view.output(kBefore).dims()[2]})};
}

constexpr Slots kInputs{{{"sums"},
                         {"r"},
                         {"r_bias", Presence::kOptional},
                         {"sequence_lens", Presence::kOptional},
                         {"initial_h", Presence::kOptional},
                         {"initial_c", Presence::kOptional},
                         {"dy", Presence::kOptional},
                         {"dy_h", Presence::kOptional},
                         {"dy_c", Presence::kOptional}}};

}  // namespace

Status GradRecurrent(GradContext& g, std::string_view grad_op, int64_t gates) {
  if (g.has_input(kPeephole)) return Unsupported("pare differentiates no peepholes");
  const Dims x_shape = g.in_shape(kX), r_shape = g.in_shape(kR);
  const int64_t hidden = r_shape[2], width = gates * hidden, directions = r_shape[0];
  const auto part = [&](Var of, int64_t i, int64_t begin, int64_t end) {
    return of ? SliceAxis(of, i, begin, end) : Var();
  };
  const Var x = Reshape(g.in(kX), {1, x_shape[0] * x_shape[1], x_shape[2]}), w = g.in(kW);
  const Var b = g.inputs() > kB ? g.in(kB) : Var();
  Var sums = MatMul(x, TransposeMatrix(w));
  if (b) sums = sums + Reshape(part(b, 1, 0, width), {directions, 1, width});
  const auto dy = [&](int i) { return i < g.outputs() && g.has_dy(i) ? g.dy(i) : Var(); };
  graph::Attrs attrs = g.attrs();
  attrs.set("batch", x_shape[1]);
  const int outputs = gates == 3 ? 5 : gates == 4 ? 4 : 3;
  const std::vector<Var> back =
      g.emit().AddMany(std::string(grad_op),
                       {sums, g.in(kR), part(b, 1, width, 2 * width), g.in(kLengths),
                        g.in(kInitialH), g.in(kInitialC), dy(0), dy(1), dy(2)},
                       outputs, std::move(attrs));
  const Var d = back[kDSums];
  if (g.wants(kX)) g.gives(kX, Reshape(ReduceSum(MatMul(d, w), {0}), x_shape));
  if (g.wants(kW)) g.gives(kW, MatMul(TransposeMatrix(d), x));
  // What went through r: for GRU the candidate's part has its own gradient and factor.
  std::vector<Var> through{d}, before{back[kBefore]};
  if (gates == 3) {
    through = {part(d, 2, 0, 2 * hidden), back[kDCandidate]};
    before.push_back(back[kCandidateBefore]);
  }
  if (g.wants(kR)) {
    std::vector<Var> rows;
    for (size_t i = 0; i < through.size(); ++i)
      rows.push_back(MatMul(TransposeMatrix(through[i]), before[i]));
    g.gives(kR, Concat(rows, 1));
  }
  if (b && g.wants(kB)) {
    std::vector<Var> columns{ReduceSum(d, {1})};
    for (Var each : through) columns.push_back(ReduceSum(each, {1}));
    g.gives(kB, Reshape(Concat(columns, 2), g.in_shape(kB)));
  }
  if (g.has_input(kInitialH)) g.gives(kInitialH, back[kDH]);
  if (g.has_input(kInitialC)) g.gives(kInitialC, back[kDC]);
  return {};
}

#define PARE_RECURRENT_GRAD(op, ...)                                      \
  extern constinit const OpDef k##op##Grad{                               \
      .name = "pare." #op "Grad",                                         \
      .inputs = kInputs,                                                  \
      .outputs = {{{"d_sums"}, {"before"}, {"d_initial_h"} __VA_ARGS__}}, \
      .infer = Infer,                                                     \
      .prepare = Prepare##op##Grad,                                       \
      .grad = kSecondOrder,                                               \
      .quant = {.keep_float = "gradients are float"},                     \
      .channels = kOfTraining,                                            \
      .cost = CostOfGrad,                                                 \
      .accuracy = Accuracy::kApproximate};
PARE_RECURRENT_GRAD(Lstm, , {"d_initial_c"})
PARE_RECURRENT_GRAD(Gru, , {"d_candidate"}, {"candidate_before"})
PARE_RECURRENT_GRAD(Rnn)
#undef PARE_RECURRENT_GRAD

}  // namespace pare::ops
