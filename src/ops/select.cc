// Operators that pick elements by values: TopK, NonZero, Compress.
#include <algorithm>

#include "kernels/number.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/move.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

// --- TopK

Status InferTopK(InferContext& context) {
  const Shape* shape = context.shape(0);
  if (!shape) {
    context.set_output(0, context.dtype(0));
    context.set_output(1, DType::kI64);
    return {};
  }
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", -1), static_cast<int>(shape->size())));
  const auto k = context.ints(1);
  Shape out = *shape;
  out[axis] = Dim::Unknown();
  if (k) {
    const bool fits = k->size() == 1 && (*k)[0] >= 0 &&
                      (!(*shape)[axis].known() || (*k)[0] <= (*shape)[axis].size());
    if (!fits) return Invalid("k is not within the axis");
    out[axis] = (*k)[0];
  } else if (const Shape* dims = context.dims_value(1); dims && dims->size() == 1) {
    out[axis] = (*dims)[0];
  }
  context.set_output(0, context.dtype(0), out);
  context.set_output(1, DType::kI64, std::move(out));
  return {};
}

struct TopKState {
  int64_t size, inner, k;
};

// Of equal elements the first comes first.
template <typename T, bool kLargest>
void RunTopK(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const TopKState*>(args.state);
  int64_t* order = static_cast<int64_t*>(args.scratch);
  for (int64_t task = args.begin; task < args.end; ++task) {
    const int64_t outer = task / state.inner, inner = task % state.inner;
    const T* x = args.in<T>(0) + outer * state.size * state.inner + inner;
    const auto before = [&](int64_t i, int64_t j) {
      const auto a = kernels::ToNumber(x[i * state.inner]);
      const auto b = kernels::ToNumber(x[j * state.inner]);
      if (a != b) return kLargest ? b < a : a < b;
      return i < j;
    };
    for (int64_t i = 0; i < state.size; ++i) order[i] = i;
    std::partial_sort(order, order + state.k, order + state.size, before);
    for (int64_t i = 0; i < state.k; ++i) {
      const int64_t to = (outer * state.k + i) * state.inner + inner;
      if (args.outputs[0]) args.out<T>(0)[to] = x[order[i] * state.inner];
      if (args.outputs[1]) args.out<int64_t>(1)[to] = order[i];
    }
  }
}

Status PrepareTopK(PrepareContext& context) {
  const Dims shape = context.shape(0);
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", -1), static_cast<int>(shape.size())));
  PARE_ASSIGN(const auto k, context.Ints(1, "k"));
  if (context.outputs() != 2) return Invalid("it has two outputs");
  const bool largest = context.attrs().i("largest", 1) != 0;
  void (*run)(const StepArgs&) noexcept = nullptr;
  VisitDType(context.dtype(0), [&]<typename T>(T) {
    if constexpr (!std::is_same_v<T, bool>) run = largest ? RunTopK<T, true> : RunTopK<T, false>;
  });
  if (!run) return Unsupported("it has no meaning for bool");
  const TopKState state{shape[axis], Count(Dims(shape.begin() + axis + 1, shape.end())), k[0]};
  AddStepIfAny(context, {.run = run,
                         .state = context.State(state),
                         .tasks = shape[axis] == 0 ? 0 : Count(shape) / shape[axis],
                         .scratch_bytes = static_cast<size_t>(shape[axis]) * sizeof(int64_t),
                         .kernel = "topk"});
  return {};
}

// --- NonZero: the coordinates of elements that are not 0, one column each. How many there are is
// known beforehand only of a constant.

template <typename F>
void ForNonZero(DType dtype, const void* data, int64_t count, F f) {
  VisitDType(dtype, [&]<typename T>(T) {
    const T* x = static_cast<const T*>(data);
    for (int64_t i = 0; i < count; ++i) {
      if (kernels::ToNumber(x[i]) != 0) f(i);
    }
  });
}

Status InferNonZero(InferContext& context) {
  const Shape* shape = context.shape(0);
  const Dim rank = shape ? Dim(std::ssize(*shape)) : Dim::Unknown();
  Dim count = Dim::Unknown();
  if (const Tensor* x = context.constant(0)) {
    int64_t found = 0;
    ForNonZero(x->dtype(), x->data(), x->count(), [&](int64_t) { ++found; });
    count = found;
  }
  context.set_output(0, DType::kI64, {rank, count});
  return {};
}

struct NonZeroState {
  DType dtype;
  Dims shape;
  int64_t found;
};

void RunNonZero(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const NonZeroState*>(args.state);
  int64_t column = 0, count = 1;
  for (int64_t dim : state.shape) count *= dim;
  ForNonZero(state.dtype, args.inputs[0], count, [&](int64_t i) {
    for (size_t axis = state.shape.size(); axis-- > 0;) {
      args.out<int64_t>(0)[static_cast<int64_t>(axis) * state.found + column] =
          i % state.shape[axis];
      i /= state.shape[axis];
    }
    ++column;
  });
}

Status PrepareNonZero(PrepareContext& context) {
  PARE_TRY(context.Constant(0, "x"));
  context.AddStep({.run = RunNonZero,
                   .state = context.State(
                       NonZeroState{context.dtype(0), context.shape(0), context.output_shape()[1]}),
                   .kernel = "nonzero"});
  return {};
}

// --- Compress: the slices along an axis (or, without one, the elements) for which a condition
// holds. The condition must be constant, for the same reason.

Result<std::optional<int>> CompressAxis(const NodeView& view, int rank) {
  if (!view.attrs().has("axis")) return std::optional<int>();
  PARE_ASSIGN(const int axis, NormalizeAxis(view.attrs().i("axis", 0), rank));
  return std::optional(axis);
}

Status InferCompress(InferContext& context) {
  const Shape* shape = context.shape(0);
  if (!shape) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  PARE_ASSIGN(const auto axis, CompressAxis(context, static_cast<int>(shape->size())));
  Dim found = Dim::Unknown();
  const Tensor* condition = context.constant(1);
  if (condition && condition->dtype() == DType::kBool) {
    found = std::ranges::count(condition->as<bool>(), true);
  }
  Shape out = axis ? *shape : Shape{found};
  if (axis) out[*axis] = found;
  context.set_output(0, context.dtype(0), std::move(out));
  return {};
}

Status PrepareCompress(PrepareContext& context) {
  PARE_ASSIGN(const Tensor* condition, context.Constant(1, "condition"));
  const Dims in = context.shape(0), out = context.output_shape();
  PARE_ASSIGN(const auto axis, CompressAxis(context, static_cast<int>(in.size())));
  if (condition->dtype() != DType::kBool) return Invalid("its condition is not bool");
  if (condition->count() > (axis ? in[*axis] : Count(in))) {
    return Invalid("its condition is longer than what it chooses from");
  }
  const Dims from = axis ? DenseSteps(in) : Dims{1}, to = DenseSteps(out);
  Dims slice = out;
  slice[axis.value_or(0)] = 1;
  std::vector<MovePart> parts;
  for (int64_t i = 0; i < condition->count(); ++i) {
    if (!condition->as<bool>()[i]) continue;
    parts.push_back({MoveNest(slice, from, to), 0, 0, i * from[axis.value_or(0)],
                     std::ssize(parts) * to[axis.value_or(0)]});
  }
  return AddMoveStep(context, static_cast<int64_t>(SizeOf(context.dtype(0))), std::move(parts));
}

constexpr QuantRule kSelected{.inputs = {{{Role::kActivation}}},
                              .keep_float = "it chooses by exact order"};

Status GradTopK(GradContext& g) {
  g.gives(0, g.emit().Add("ScatterElements", {g.emit().Full(g.in_shape(0), 0), g.saved(1), g.dy()},
                          {{"axis", g.attrs().i("axis", -1)}}));
  return {};
}

Status GradCompress(GradContext& g) {
  PARE_ASSIGN(const Tensor* condition, g.Constant(1, "condition"));
  const Dims in = g.in_shape(0);
  PARE_ASSIGN(const auto axis, CompressAxis(g, g.input(0).rank()));
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < condition->count(); ++i) {
    if (condition->as<bool>()[i]) chosen.push_back(i);
  }
  const Var dx =
      SumAt(g.dy(), g.emit().Ints(chosen), axis.value_or(0), axis ? in[*axis] : Count(in));
  g.gives(0, Reshape(dx, in));
  return {};
}

}  // namespace

extern constinit const OpDef kTopK{.name = "TopK",
                                   .inputs = {{{"x"}, {"k"}}},
                                   .outputs = {{{"values"}, {"indices"}}},
                                   .infer = InferTopK,
                                   .prepare = PrepareTopK,
                                   .grad = {.emit = GradTopK},
                                   .quant = kSelected,
                                   .channels = {.none = "it sorts, and tells positions"}};

extern constinit const OpDef kCompress{.name = "Compress",
                                       .inputs = {{{"x"}, {"condition"}}},
                                       .outputs = {{{"y"}}},
                                       .infer = InferCompress,
                                       .prepare = PrepareCompress,
                                       .grad = {.emit = GradCompress},
                                       .quant = kSameScaleRule,
                                       .channels = {.none = "the data choose what it gives"}};

extern constinit const OpDef kNonZero{.name = "NonZero",
                                      .inputs = {{{"x"}}},
                                      .outputs = {{{"indices"}}},
                                      .infer = InferNonZero,
                                      .prepare = PrepareNonZero,
                                      .grad = kNoSlope,
                                      .quant = kSelected,
                                      .channels = {.none = "the data choose what it gives"}};

}  // namespace pare::ops
