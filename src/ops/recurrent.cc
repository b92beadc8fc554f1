#include "ops/recurrent.h"

#include <algorithm>
#include <cmath>

namespace pare::ops {

using graph::Dim;
using graph::Shape;
using kernels::GateFunction;
using namespace recurrent;

namespace {

int64_t Directions(const NodeView& view) {
  return view.attrs().s("direction", "forward") == "bidirectional" ? 2 : 1;
}

struct NamedFunction {
  std::string_view name;
  GateFunction::Kind kind;
  int parameters;  // how many of alpha, beta it has
  float alpha, beta;
};
constexpr NamedFunction kFunctions[] = {
    {"Sigmoid", GateFunction::Kind::kSigmoid, 0, 0, 0},
    {"Tanh", GateFunction::Kind::kTanh, 0, 0, 0},
    {"Relu", GateFunction::Kind::kRelu, 0, 0, 0},
    {"Affine", GateFunction::Kind::kAffine, 2, 1, 0},
    {"LeakyRelu", GateFunction::Kind::kLeakyRelu, 1, 0.01f, 0},
    {"ThresholdedRelu", GateFunction::Kind::kThresholdedRelu, 1, 1, 0},
    {"ScaledTanh", GateFunction::Kind::kScaledTanh, 2, 1, 1},
    {"HardSigmoid", GateFunction::Kind::kHardSigmoid, 2, 0.2f, 0.5f},
    {"Elu", GateFunction::Kind::kElu, 1, 1, 0},
    {"Softsign", GateFunction::Kind::kSoftsign, 0, 0, 0},
    {"Softplus", GateFunction::Kind::kSoftplus, 0, 0, 0},
};

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return std::tolower(static_cast<unsigned char>(x)) ==
                  std::tolower(static_cast<unsigned char>(y));
         });
}

// The functions of all directions; parameters are taken in order by those that have them.
Result<std::vector<GateFunction>> ReadFunctions(const graph::Attrs& attrs, int64_t directions,
                                                std::initializer_list<std::string_view> usual) {
  graph::Strings names = attrs.strings("activations");
  if (names.empty()) {
    for (int64_t d = 0; d < directions; ++d) names.insert(names.end(), usual.begin(), usual.end());
  }
  if (names.size() != usual.size() * static_cast<size_t>(directions)) {
    return Invalid(Text("activations has ", names.size(), " elements"));
  }
  const graph::Floats alphas = attrs.floats("activation_alpha");
  const graph::Floats betas = attrs.floats("activation_beta");
  size_t alpha = 0, beta = 0;
  std::vector<GateFunction> functions;
  for (const std::string& name : names) {
    const auto known = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                    [&](const auto& f) { return SameName(f.name, name); });
    if (known == std::end(kFunctions)) return Unsupported(Text("its activation \"", name, "\""));
    GateFunction f{known->kind, known->alpha, known->beta};
    if (known->parameters > 0 && alpha < alphas.size()) f.alpha = alphas[alpha++];
    if (known->parameters > 1 && beta < betas.size()) f.beta = betas[beta++];
    functions.push_back(f);
  }
  return functions;
}

}  // namespace

Status InferRecurrent(InferContext& context, int gates) {
  const Shape* x = context.shape(kX);
  const Shape* r = context.shape(kR);
  const DType dtype = context.dtype(kX);
  if (x && x->size() != 3) return Invalid("x must have three dimensions");
  if (r && r->size() != 3) return Invalid("r must have three dimensions");
  if (context.attrs().i("layout", 0) != 0) return Unsupported("pare runs layout=0 only");
  const Dim hidden = r ? (*r)[2] : Dim::Unknown();
  if (r && (*r)[1].known() && hidden.known() &&
      ((*r)[1].size() % gates != 0 || (*r)[1].size() / gates != hidden.size())) {
    return Invalid(
        Text("r has ", (*r)[1].size(), " rows for ", gates, " gates of ", hidden.size()));
  }
  const int64_t said = context.attrs().i("hidden_size", 0);
  if (said != 0 && hidden.known() && said != hidden.size()) {
    return Invalid(Text("hidden_size is ", said, ", and r is for ", hidden.size()));
  }
  const Dim directions = Directions(context);
  const Dim steps = x ? (*x)[0] : Dim::Unknown(), batch = x ? (*x)[1] : Dim::Unknown();
  context.set_output(0, dtype, {steps, directions, batch, hidden});
  context.set_output(1, dtype, {directions, batch, hidden});
  if (gates == 4) context.set_output(2, dtype, {directions, batch, hidden});
  return {};
}

Cost CostOfRecurrent(const NodeView& view) {
  if (!view.input(kX).is_static() || !view.input(kW).is_static()) return {};
  const Dims x = view.input(kX).dims();
  if (x.size() != 3 || !view.input(kR).is_static()) return {};
  const int64_t weights = CountIfKnown(view.input(kW)) / 2 + CountIfKnown(view.input(kR)) / 2;
  return {.macs = Work({x[0], x[1], 2, weights})};
}

Result<std::array<bool, 2>> ReadReverse(const graph::Attrs& attrs) {
  const std::string direction = attrs.s("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return Invalid(Text("direction is \"", direction, "\""));
  }
  return std::array<bool, 2>{direction == "reverse", true};
}

Result<std::array<kernels::CellShape, 2>> ReadCells(
    const graph::Attrs& attrs, int64_t directions, int64_t hidden,
    std::initializer_list<std::string_view> functions) {
  PARE_ASSIGN(const auto all, ReadFunctions(attrs, directions, functions));
  std::array<kernels::CellShape, 2> cells;
  for (int64_t d = 0; d < directions; ++d) {
    kernels::CellShape& cell = cells[d];
    cell.hidden = hidden;
    cell.f = all[d * functions.size()];
    if (functions.size() > 1) cell.g = all[d * functions.size() + 1];
    if (functions.size() > 2) cell.h = all[d * functions.size() + 2];
    const float clip = attrs.f("clip", 0.0f);
    if (clip > 0) cell.clip = clip;
    cell.coupled = attrs.i("input_forget", 0) != 0;
  }
  return cells;
}

Result<RecurrentState> ReadRecurrent(PrepareContext& context, int gates,
                                     std::initializer_list<std::string_view> functions) {
  for (int i : {kX, kW, kR, kB, kInitialH, kInitialC, kPeephole}) {
    if (context.has_input(i) && context.dtype(i) != DType::kF32) {
      return Unsupported(
          Text("pare computes it in f32, but an input is ", DTypeName(context.dtype(i))));
    }
  }
  const graph::Attrs& attrs = context.attrs();
  const Dims x = context.shape(kX), w = context.shape(kW), r = context.shape(kR);
  RecurrentState s{.steps = x[0],
                   .batch = x[1],
                   .inputs = x[2],
                   .hidden = r[2],
                   .directions = Directions(context),
                   .gates = gates,
                   .rows = x[1]};
  PARE_ASSIGN(s.reverse, ReadReverse(attrs));
  if (w != Dims{s.directions, gates * s.hidden, s.inputs} ||
      r != Dims{s.directions, gates * s.hidden, s.hidden}) {
    return Invalid(Text("w is ", DimsText(w), " and r ", DimsText(r), " for x ", DimsText(x)));
  }
  if (context.has_input(kB) && context.shape(kB) != Dims{s.directions, 2 * gates * s.hidden}) {
    return Invalid(Text("b is ", DimsText(context.shape(kB))));
  }
  for (int i : {kInitialH, kInitialC}) {
    if (context.has_input(i) && context.shape(i) != Dims{s.directions, s.batch, s.hidden}) {
      return Invalid(Text("an initial state is ", DimsText(context.shape(i))));
    }
  }
  PARE_ASSIGN(s.cell, ReadCells(attrs, s.directions, s.hidden, functions));
  for (int64_t d = 0; d < s.directions; ++d) {
    s.cell[d].peephole = context.has_input(kPeephole);
    s.kernel[d] = kernels::FindRecurrent(context.cpu(), s.cell[d])->functions;
  }
  s.linear_before_reset = attrs.i("linear_before_reset", 0) != 0;
  s.has_y = context.has_output(0);
  s.has_y_h = context.has_output(1);
  s.has_y_c = context.has_output(2);
  s.lengths = {context, kLengths};
  s.initial_h = {context, kInitialH};
  s.initial_c = {context, kInitialC};
  s.peephole = {context, kPeephole};
  if (s.lengths) {
    if (context.dtype(kLengths) != DType::kI32 || context.shape(kLengths) != Dims{s.batch}) {
      return Invalid("sequence_lens must be i32, one for each sequence");
    }
    s.rows = 1;
  }
  return s;
}

namespace {

// x · w for all steps. Tasks are those of the product, one direction after the other.
void RunInputs(const StepArgs& args) noexcept {
  const auto& s = *static_cast<const RecurrentState*>(args.state);
  const int64_t tasks = s.x.kernel->tasks(s.x.shape), width = s.gates * s.hidden;
  for (int64_t task = args.begin; task < args.end;) {
    const int64_t d = task / tasks, first = task % tasks;
    const int64_t last = std::min(tasks, first + args.end - task);
    float* sums = static_cast<float*>(args.temps[s.sums_temp]) + d * s.steps * s.batch * width;
    const kernels::GemmArgs gemm{.shape = s.x.shape,
                                 .a = args.in<float>(kX),
                                 .lda = s.inputs,
                                 .packed = s.x.matrix(args, d),
                                 .c = sums,
                                 .ldc = width,
                                 .activation = {}};
    s.x.kernel->run(gemm, first, last, args.scratch);
    task += last - first;
  }
}

void LoadState(const OptionalInput& input, const StepArgs& args, int64_t at, int64_t count,
               float* to) noexcept {
  if (const float* from = input.in<float>(args)) {
    std::copy_n(from + at, count, to);
  } else {
    std::fill_n(to, count, 0.0f);
  }
}

void RunSteps(const StepArgs& args) noexcept {
  const auto& s = *static_cast<const RecurrentState*>(args.state);
  const int64_t width = s.gates * s.hidden, count = s.rows * s.hidden;
  const int64_t state_floats = kernels::RoundUp(count, 16);
  float* h = static_cast<float*>(args.scratch);
  float* c = h + state_floats;
  float* work = c + state_floats;
  void* gemm_scratch = work + kernels::RoundUp(s.work_floats, 16);
  const int32_t* lengths = s.lengths.in<int32_t>(args);
  const int64_t groups = s.batch / s.rows;
  for (int64_t task = args.begin; task < args.end; ++task) {
    const int64_t d = task / groups, first = task % groups * s.rows;
    const int64_t at = (d * s.batch + first) * s.hidden;
    int64_t steps = s.steps;
    if (lengths) {
      steps = lengths[first];
      if (steps < 0 || steps > s.steps) {
        args.fault->Raise("sequence_lens holds a length that x does not have", steps);
        return;
      }
    }
    LoadState(s.initial_h, args, at, count, h);
    LoadState(s.initial_c, args, at, count, c);
    const float* sums = static_cast<const float*>(args.temps[s.sums_temp]) +
                        (d * s.steps * s.batch + first) * width;
    const auto y_at = [&](int64_t t) {
      return args.out<float>(0) + ((t * s.directions + d) * s.batch + first) * s.hidden;
    };
    for (int64_t i = 0; i < steps; ++i) {
      const int64_t t = s.reverse[d] ? steps - 1 - i : i;
      s.step(s, args, d, sums + t * s.batch * width, h, c, work, gemm_scratch);
      if (s.has_y) std::copy_n(h, count, y_at(t));
    }
    for (int64_t t = steps; t < s.steps && s.has_y; ++t) std::fill_n(y_at(t), count, 0.0f);
    if (s.has_y_h) std::copy_n(h, count, args.out<float>(1) + at);
    if (s.has_y_c) std::copy_n(c, count, args.out<float>(2) + at);
  }
}

}  // namespace

Status AddRecurrentSteps(PrepareContext& context, RecurrentState state, std::string_view kernel) {
  if (state.batch * state.hidden == 0) return {};
  const int64_t width = state.gates * state.hidden;
  state.sums_temp = context.Temp(
      static_cast<size_t>(state.directions * state.steps * state.batch * width) * sizeof(float));
  const size_t gemm_scratch =
      std::max(state.r.scratch_bytes(),
               state.r_candidate.kernel ? state.r_candidate.scratch_bytes() : size_t{0});
  const int64_t floats =
      2 * kernels::RoundUp(state.rows * state.hidden, 16) + kernels::RoundUp(state.work_floats, 16);
  const auto* shared = context.State(state);
  if (state.steps > 0) {
    context.AddStep({.run = RunInputs,
                     .state = shared,
                     .tasks = state.directions * state.x.kernel->tasks(state.x.shape),
                     .scratch_bytes = state.x.scratch_bytes(),
                     .kernel = "recurrent_f32_inputs"});
  }
  context.AddStep({.run = RunSteps,
                   .state = shared,
                   .tasks = state.tasks(),
                   .scratch_bytes = static_cast<size_t>(floats) * sizeof(float) + gemm_scratch,
                   .kernel = kernel});
  return {};
}

}  // namespace pare::ops
