// Reductions along axes: reduce.inc is the list.
#include "kernels/reduce/reduce.h"

#include <algorithm>

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/nest.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;
using kernels::ReduceFunction;

// Which axes are reduced: those given, or all.
Result<std::vector<bool>> ReducedAxes(const std::vector<int64_t>& axes, int rank) {
  std::vector<bool> reduced(rank, axes.empty());
  for (int64_t axis : axes) {
    PARE_ASSIGN(const int at, NormalizeAxis(axis, rank, "axes"));
    reduced[at] = true;
  }
  return reduced;
}

// No axes mean all of them, or none (each element alone is reduced): an attribute says which.
bool KeepsAll(const NodeView& view, const std::vector<int64_t>& axes) {
  return axes.empty() && view.attrs().i("noop_with_empty_axes", 0) != 0;
}

Status InferReduce(InferContext& context) {
  const Shape* shape = context.shape(0);
  if (!shape) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  const bool keep = context.attrs().i("keepdims", 1) != 0;
  const auto axes = context.has_input(1) ? context.ints(1) : std::vector<int64_t>();
  if (!axes) {
    if (keep) {
      context.set_output(0, context.dtype(0), Shape(shape->size(), Dim::Unknown()));
    } else {
      context.set_output(0, context.dtype(0));
    }
    return {};
  }
  if (KeepsAll(context, *axes)) {
    context.set_output(0, context.input(0));
    return {};
  }
  PARE_ASSIGN(const auto reduced, ReducedAxes(*axes, static_cast<int>(shape->size())));
  Shape out;
  for (size_t i = 0; i < shape->size(); ++i) {
    if (!reduced[i]) {
      out.push_back((*shape)[i]);
    } else if (keep) {
      out.push_back(1);
    }
  }
  context.set_output(0, context.dtype(0), std::move(out));
  return {};
}

// The loops over a dense tensor, neighbours of the same kind joined.
Result<kernels::ReduceBox> BoxOf(const Dims& shape, const std::vector<bool>& reduced) {
  kernels::ReduceBox box;
  const Dims steps = DenseSteps(shape);
  int last = -1;  // the kind of the loop before: 0 kept, 1 reduced
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    const int kind = reduced[i];
    int& count = kind ? box.reduced : box.kept;
    int64_t* sizes = kind ? box.reduced_size : box.kept_size;
    int64_t* all_steps = kind ? box.reduced_step : box.kept_step;
    if (kind != last) {
      if (count == kernels::kMaxReduceLoops) return Unsupported("it reduces too many axes apart");
      sizes[count++] = 1;
    }
    sizes[count - 1] *= shape[i];
    all_steps[count - 1] = steps[i];
    last = kind;
  }
  if (box.kept + box.reduced == 0) {
    box.kept = 1;
    box.kept_size[0] = box.kept_step[0] = 1;
  }
  return box;
}

struct ReduceState {
  kernels::ReduceRun run;
  kernels::ReduceBox box;
  int64_t outputs, outputs_per_task;
  int from_temp, to_temp;  // −1: input 0, output 0
};

void RunReduce(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ReduceState*>(args.state);
  const void* x = state.from_temp < 0 ? args.inputs[0] : args.temps[state.from_temp];
  void* y = state.to_temp < 0 ? args.outputs[0] : args.temps[state.to_temp];
  state.run({&state.box, x, y, args.begin * state.outputs_per_task,
             std::min(args.end * state.outputs_per_task, state.outputs)});
}

struct Ends {
  int from_temp = -1, to_temp = -1;
};

void AddReduceStep(PrepareContext& context, const kernels::ReduceChoice& choice,
                   const kernels::ReduceBox& box, Ends ends) {
  const int64_t each = std::max<int64_t>(1, box.inputs_each());
  const int64_t per_task = std::max<int64_t>(box.columns() ? 64 : 1, kTaskElements / each);
  const int64_t outputs = box.outputs();
  AddStepIfAny(context, {.run = RunReduce,
                         .state = context.State(ReduceState{choice.run, box, outputs, per_task,
                                                            ends.from_temp, ends.to_temp}),
                         .tasks = kernels::CeilDiv(outputs, per_task),
                         .kernel = choice.name});
}

// A function of all is that of its parts of equal size, mostly.
struct Halves {
  ReduceFunction of_parts, of_results;
};
constexpr Halves HalvesOf(ReduceFunction function) {
  if (function == ReduceFunction::kSumSquare) return {function, ReduceFunction::kSum};
  if (function == ReduceFunction::kLogSum) return {ReduceFunction::kSum, function};
  return {function, function};
}

// Into how many parts to cut the outermost reduced loop, where there are too few outputs to keep
// threads busy: a divisor of its size, or 1.
int64_t PartsOf(const kernels::ReduceBox& box) {
  constexpr int64_t kOutputs = 512, kMost = 64;
  if (box.reduced == 0 || box.kept == kernels::kMaxReduceLoops || box.outputs() > kOutputs)
    return 1;
  const int64_t size = box.reduced_size[0];
  const int64_t work = box.outputs() * box.inputs_each() / kTaskElements;
  int64_t parts = std::min({kMost, work, size / 2});
  while (parts > 1 && size % parts != 0) --parts;
  return std::max<int64_t>(1, parts);
}

// The same loops with a kept one more, the parts.
kernels::ReduceBox InParts(kernels::ReduceBox box, int64_t parts) {
  std::copy_backward(box.kept_size, box.kept_size + box.kept, box.kept_size + box.kept + 1);
  std::copy_backward(box.kept_step, box.kept_step + box.kept, box.kept_step + box.kept + 1);
  box.reduced_size[0] /= parts;
  box.kept_size[0] = parts;
  box.kept_step[0] = box.reduced_size[0] * box.reduced_step[0];
  ++box.kept;
  return box;
}

void AddReduceInParts(PrepareContext& context, ReduceFunction function,
                      const kernels::ReduceBox& box, int64_t parts) {
  const Halves halves = HalvesOf(function);
  const int64_t outputs = box.outputs();
  const int temp = context.Temp(static_cast<size_t>(parts * outputs) * sizeof(float));
  AddReduceStep(context, kernels::FindReduce(context.cpu(), halves.of_parts, DType::kF32),
                InParts(box, parts), {.to_temp = temp});
  kernels::ReduceBox results{.kept = 1, .reduced = 1};
  results.kept_size[0] = outputs, results.kept_step[0] = 1;
  results.reduced_size[0] = parts, results.reduced_step[0] = outputs;
  AddReduceStep(context, kernels::FindReduce(context.cpu(), halves.of_results, DType::kF32),
                results, {.from_temp = temp});
}

template <ReduceFunction kFunction>
inline constexpr bool kLeavesOneAlone =
    kFunction == ReduceFunction::kSum || kFunction == ReduceFunction::kMean ||
    kFunction == ReduceFunction::kMax || kFunction == ReduceFunction::kMin ||
    kFunction == ReduceFunction::kProd;

template <ReduceFunction kFunction>
Status PrepareReduce(PrepareContext& context) {
  std::vector<int64_t> axes;
  if (context.has_input(1)) {
    PARE_ASSIGN(axes, context.Ints(1, "axes"));
  }
  const Dims shape = context.shape(0);
  PARE_ASSIGN(auto reduced, ReducedAxes(axes, static_cast<int>(shape.size())));
  if (KeepsAll(context, axes)) {
    if (kLeavesOneAlone<kFunction>) {
      context.Alias(0);
      return {};
    }
    reduced.assign(shape.size(), false);
  }
  const auto choice = kernels::FindReduce(context.cpu(), kFunction, context.dtype(0));
  if (!choice.run) return Unsupported(Text("it has no meaning for ", DTypeName(context.dtype(0))));
  PARE_ASSIGN(const kernels::ReduceBox box, BoxOf(shape, reduced));
  const int64_t parts = context.dtype(0) == DType::kF32 ? PartsOf(box) : 1;
  if (parts > 1) {
    AddReduceInParts(context, kFunction, box, parts);
  } else {
    AddReduceStep(context, choice, box, {});
  }
  return {};
}

// What broadcasts over x: a value of the result's type with the reduced axes back as 1.
struct Reduced {
  Dims kept;  // the result's shape with those axes
  int64_t each = 1;

  Reduced(const GradContext& g, const std::vector<int64_t>& axes) : kept(g.in_shape(0)) {
    if (KeepsAll(g, axes)) return;
    const int rank = g.input(0).rank();
    for (int i = 0; i < rank; ++i) {
      const bool reduced = axes.empty() || std::count(axes.begin(), axes.end(), i) > 0 ||
                           std::count(axes.begin(), axes.end(), i - rank) > 0;
      if (reduced) each *= std::exchange(kept[i], 1);
    }
  }
  Var operator()(Var of_result) const { return Reshape(of_result, kept); }
};

// dx by x, and by y and dy over the reduced axes.
using ReduceGradient = Var (*)(Var x, Var y, Var dy, float each);
template <ReduceGradient kGradient>
Status GradReduce(GradContext& g) {
  std::vector<int64_t> axes;
  if (g.has_input(1)) {
    PARE_ASSIGN(axes, g.Ints(1, "axes"));
  }
  const Reduced reduced(g, axes);
  g.gives(0, ExpandTo(kGradient(g.in(0), reduced(g.out()), reduced(g.dy()),
                                static_cast<float>(reduced.each)),
                      g.in_shape(0)));
  return {};
}

// What `combine` makes of x over the axes that y has lost; x where there are none.
Var OverReduced(std::string_view combine, Var x, Var y) {
  std::vector<int64_t> axes;
  for (int i = 0; i < x.rank(); ++i) {
    if (y.dims()[i] != x.dims()[i]) axes.push_back(i);
  }
  return axes.empty() || !x ? x
                            : x.emitter().Add(std::string(combine), {x, x.emitter().Ints(axes)});
}

// Of equal extremes each gets a share.
Var ToExtremes(Var x, Var y, Var dy) {
  const Var is = ToF32(Equal(x, y));
  return is * (dy / OverReduced("ReduceSum", is, y));
}

// A length of 0 has no slope; as PyTorch's it is then 0.
Var OfLength(Var x, Var y, Var dy) {
  const Var zero = x.emitter().Scalar(0);
  return x * Where(Equal(y, zero), zero, dy / y);
}

// The product of the others: of those that are not 0, where no other is.
Var OfProduct(Var x, Var y, Var dy) {
  const Var zero = x.emitter().Scalar(0), one = x.emitter().Scalar(1);
  const Var is_zero = Equal(x, zero), zeros = ToF32(is_zero), rest = Where(is_zero, one, x);
  const Var none_other = Equal(OverReduced("ReduceSum", zeros, y), zeros);
  return Where(none_other, dy * OverReduced("ReduceProd", rest, y) / rest, zero);
}

Cost CostOfReduce(const NodeView& view) { return {.flops = CountIfKnown(view.input(0))}; }

constexpr QuantRule kNoIntegerForm{.inputs = {{{Role::kActivation}}},
                                   .keep_float = "pare has no integer form of it"};

// The axes that stay are the output's; what is reduced over depends on every channel.
void TieReduce(ChannelContext& c) {
  const auto axes = c.has_input(1) ? c.ints(1) : std::vector<int64_t>();
  if (!axes || c.rank(0) < 0) return;
  auto reduced = ReducedAxes(*axes, c.rank(0));
  if (!reduced) return;
  if (KeepsAll(c, *axes)) reduced->assign(reduced->size(), false);
  const bool keep = c.attrs().i("keepdims", 1) != 0;
  int out = 0;
  for (int i = 0; i < c.rank(0); ++i) {
    if ((*reduced)[i]) {
      c.Free(In(0, i));
      c.Mix(In(0, i), "reduces over the channels");
      out += keep;
    } else {
      c.Tie(In(0, i), Out(out++));
    }
  }
}

}  // namespace

#define PARE_REDUCE(op, function, rule, gradient)                                           \
  namespace {                                                                               \
  Var Gradient##op([[maybe_unused]] Var x, [[maybe_unused]] Var y, Var dy,                  \
                   [[maybe_unused]] float each) {                                           \
    return gradient;                                                                        \
  }                                                                                         \
  }                                                                                         \
  extern constinit const OpDef k##op{.name = #op,                                           \
                                     .inputs = {{{"x"}, {"axes", Presence::kOptional}}},    \
                                     .outputs = {{{"y"}}},                                  \
                                     .infer = InferReduce,                                  \
                                     .prepare = PrepareReduce<ReduceFunction::k##function>, \
                                     .grad = {.emit = GradReduce<Gradient##op>},            \
                                     .quant = rule,                                         \
                                     .channels = {.tie = TieReduce},                        \
                                     .cost = CostOfReduce,                                  \
                                     .accuracy = Accuracy::kRounding};
#include "ops/reduce.inc"
#undef PARE_REDUCE

}  // namespace pare::ops
