// Operators that go along an axis in order: CumSum, Trilu, ReverseSequence.
#include <cstring>

#include "kernels/number.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/element_each.h"
#include "ops/grad.h"
#include "ops/nest.h"
#include "ops/optional_input.h"

namespace pare::ops {
namespace {

// --- CumSum

struct CumSumState {
  int64_t outer, size, inner;
  bool exclusive, reverse;
};

template <typename T>
void RunCumSum(const StepArgs& args) noexcept {
  using Number = kernels::NumberOf<T>;
  using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;
  const auto& state = *static_cast<const CumSumState*>(args.state);
  for (int64_t task = args.begin; task < args.end; ++task) {
    const int64_t start = task / state.inner * state.size * state.inner + task % state.inner;
    Sum sum = 0;
    for (int64_t i = 0; i < state.size; ++i) {
      const int64_t at = start + (state.reverse ? state.size - 1 - i : i) * state.inner;
      const Sum before = sum;
      sum += static_cast<Sum>(kernels::ToNumber(args.in<T>(0)[at]));
      args.out<T>(0)[at] =
          kernels::FromNumber<T>(static_cast<Number>(state.exclusive ? before : sum));
    }
  }
}

Status PrepareCumSum(PrepareContext& context) {
  const Dims shape = context.shape(0);
  PARE_ASSIGN(const auto axes, context.Ints(1, "axis"));
  if (axes.size() != 1) return Invalid("it takes one axis");
  PARE_ASSIGN(const int axis, NormalizeAxis(axes[0], static_cast<int>(shape.size())));
  void (*run)(const StepArgs&) noexcept = nullptr;
  VisitDType(context.dtype(0), [&]<typename T>(T) {
    if constexpr (!std::is_same_v<T, bool>) run = RunCumSum<T>;
  });
  if (!run) return Unsupported("it has no meaning for bool");
  const CumSumState state{Count(Dims(shape.begin(), shape.begin() + axis)), shape[axis],
                          Count(Dims(shape.begin() + axis + 1, shape.end())),
                          context.attrs().i("exclusive", 0) != 0,
                          context.attrs().i("reverse", 0) != 0};
  AddStepIfAny(context, {.run = run,
                         .state = context.State(state),
                         .tasks = state.outer * state.inner,
                         .kernel = "cumsum"});
  return {};
}

// --- Trilu: the triangle above (or below) a diagonal, zeros elsewhere

struct TriluState {
  OptionalInput diagonal;
  int64_t rows, columns, element_bytes;
  bool upper;
};

void RunTrilu(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const TriluState*>(args.state);
  const int64_t* given = state.diagonal.in<int64_t>(args);
  const int64_t beyond = state.rows + state.columns, bytes = state.element_bytes;
  const int64_t diagonal = given ? std::clamp(*given, -beyond, beyond) : 0;
  for (int64_t task = args.begin; task < args.end; ++task) {  // a row of a matrix
    const int64_t row = task % state.rows;
    // Elements [0, cut) lie below the diagonal.
    const int64_t below = row + diagonal + (state.upper ? 0 : 1);
    const int64_t cut = std::clamp<int64_t>(below, 0, state.columns);
    const std::byte* x = args.in<std::byte>(0) + task * state.columns * bytes;
    std::byte* y = args.out<std::byte>(0) + task * state.columns * bytes;
    const auto left = static_cast<size_t>(cut * bytes);
    const auto right = static_cast<size_t>((state.columns - cut) * bytes);
    if (state.upper) {
      std::memset(y, 0, left);
      std::memcpy(y + left, x + left, right);
    } else {
      std::memcpy(y, x, left);
      std::memset(y + left, 0, right);
    }
  }
}

Status PrepareTrilu(PrepareContext& context) {
  const Dims shape = context.shape(0);
  if (shape.size() < 2) return Invalid("its input is no matrix");
  PARE_TRY(ElementEach(context, 1, DType::kI64, 1));
  const int64_t columns = shape.back(), rows = shape[shape.size() - 2];
  const auto bytes = static_cast<int64_t>(SizeOf(context.dtype(0)));
  const TriluState state{OptionalInput(context, 1), rows, columns, bytes,
                         context.attrs().i("upper", 1) != 0};
  AddStepIfAny(context, {.run = RunTrilu,
                         .state = context.State(state),
                         .tasks = columns == 0 ? 0 : Count(shape) / columns,
                         .kernel = "trilu"});
  return {};
}

// --- ReverseSequence: the first lengths[b] slices along the time axis, in reverse

struct ReverseState {
  Dims shape;
  int batch_axis, time_axis;
  int64_t slice_bytes;  // below both axes
};

void RunReverse(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ReverseState*>(args.state);
  const int64_t* lengths = args.in<int64_t>(1);
  const int64_t d0 = state.shape[0], d1 = state.shape[1];
  const int64_t times = state.shape[state.time_axis];
  for (int64_t i = 0; i < d0 * d1; ++i) {
    const int64_t at[] = {i / d1, i % d1};
    const int64_t batch = at[state.batch_axis], time = at[state.time_axis];
    const int64_t length = lengths[batch];
    if (length < 0 || length > times) {
      args.fault->Raise("a sequence is longer than the tensor", length);
      return;
    }
    const int64_t from_time = time < length ? length - 1 - time : time;
    const int64_t from = state.time_axis == 0 ? from_time * d1 + batch : batch * d1 + from_time;
    std::memcpy(args.out<std::byte>(0) + i * state.slice_bytes,
                args.in<std::byte>(0) + from * state.slice_bytes,
                static_cast<size_t>(state.slice_bytes));
  }
}

Status PrepareReverseSequence(PrepareContext& context) {
  const Dims shape = context.shape(0);
  const int64_t batch = context.attrs().i("batch_axis", 1),
                time = context.attrs().i("time_axis", 0);
  if (shape.size() < 2 || batch + time != 1 || batch * time != 0) {
    return Invalid("batch_axis and time_axis must be 0 and 1");
  }
  if (context.dtype(1) != DType::kI64 || Count(context.shape(1)) != shape[batch]) {
    return Invalid("it needs one length (i64) for each sequence");
  }
  const int64_t slice = Count(Dims(shape.begin() + 2, shape.end()));
  context.AddStep(
      {.run = RunReverse,
       .state = context.State(ReverseState{shape, static_cast<int>(batch), static_cast<int>(time),
                                           slice * static_cast<int64_t>(SizeOf(context.dtype(0)))}),
       .kernel = "reverse"});
  return {};
}

// x[i] is in all sums that come later.
Status GradCumSum(GradContext& g) {
  g.gives(0, g.emit().Add("CumSum", {g.dy(), g.in(1)},
                          {{"exclusive", g.attrs().i("exclusive", 0)},
                           {"reverse", static_cast<int64_t>(g.attrs().i("reverse", 0) == 0)}}));
  return {};
}

// The operator itself: what it drops has no gradient, and turning round twice is no turn.
Status GradOfItself(GradContext& g) {
  std::vector<Var> inputs{g.dy()};
  if (g.has_input(1)) inputs.push_back(g.in(1));
  g.gives(0, g.emit().Add(g.node().op, inputs, g.attrs()));
  return {};
}

}  // namespace

extern constinit const OpDef kCumSum{
    .name = "CumSum",
    .inputs = {{{"x"}, {"axis"}}},
    .outputs = {{{"y"}}},
    .infer = InferSameType,
    .prepare = PrepareCumSum,
    .grad = {.emit = GradCumSum},
    .quant = {.inputs = {{{Role::kActivation}}}, .keep_float = "its sums need more than 8 bits"},
    .channels = {.none = "its sums depend on the places before"},
    .cost = PerElement<1>,
    .accuracy = Accuracy::kRounding};

extern constinit const OpDef kTrilu{
    .name = "Trilu",
    .inputs = {{{"x"}, {"k", Presence::kOptional}}},
    .outputs = {{{"y"}}},
    .infer = InferSameType,
    .prepare = PrepareTrilu,
    .grad = {.emit = GradOfItself},
    .quant = {.inputs = {{{Role::kActivation}}}, .keep_float = "it is met in masks only"},
    .channels = {.none = "it masks by place"}};

extern constinit const OpDef kReverseSequence{
    .name = "ReverseSequence",
    .inputs = {{{"x"}, {"lengths"}}},
    .outputs = {{{"y"}}},
    .infer = InferSameType,
    .prepare = PrepareReverseSequence,
    .grad = {.emit = GradOfItself},
    .quant = kSameScaleRule,
    .channels = {.none = "it moves by lengths that the data tell"}};

}  // namespace pare::ops
