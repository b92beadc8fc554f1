// ScatterElements and ScatterND: a copy of x in which elements, or slices, are replaced by updates
// or combined with them. The updates are applied one after the other, so that repeated indices give
// the same result every time.
#include <cstring>

#include "kernels/number.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/index.h"
#include "ops/move.h"

namespace pare::ops {
namespace {

enum class Reduction : uint8_t { kNone, kAdd, kMul, kMax, kMin };

Result<Reduction> ReductionOf(const graph::Attrs& attrs) {
  const std::string name = attrs.s("reduction", "none");
  if (name == "none") return Reduction::kNone;
  if (name == "add") return Reduction::kAdd;
  if (name == "mul") return Reduction::kMul;
  if (name == "max") return Reduction::kMax;
  if (name == "min") return Reduction::kMin;
  return Invalid(Text("reduction is \"", name, "\""));
}

using Apply = void (*)(Reduction, std::byte* y, const std::byte* updates, int64_t count) noexcept;

template <typename T>
void ApplyTo(Reduction reduction, std::byte* into, const std::byte* from, int64_t count) noexcept {
  using Number = kernels::NumberOf<T>;
  // Integers wrap around.
  using Wide = std::conditional_t<std::is_integral_v<Number>, uint64_t, Number>;
  T* y = reinterpret_cast<T*>(into);
  const T* u = reinterpret_cast<const T*>(from);
  for (int64_t i = 0; i < count; ++i) {
    const Number a = kernels::ToNumber(y[i]), b = kernels::ToNumber(u[i]);
    Number result = b;
    switch (reduction) {
      case Reduction::kNone:
        break;
      case Reduction::kAdd:
        result = static_cast<Number>(static_cast<Wide>(a) + static_cast<Wide>(b));
        break;
      case Reduction::kMul:
        result = static_cast<Number>(static_cast<Wide>(a) * static_cast<Wide>(b));
        break;
      case Reduction::kMax:
        result = a < b ? b : a;
        break;
      case Reduction::kMin:
        result = b < a ? b : a;
        break;
    }
    y[i] = kernels::FromNumber<T>(result);
  }
}

Apply ApplyFor(DType dtype) {
  Apply apply = nullptr;
  VisitDType(dtype, [&]<typename T>(T) { apply = ApplyTo<T>; });
  return apply;
}

Status CheckOperands(PrepareContext& context) {
  PARE_TRY(CheckIndexType(context.dtype(1)));
  if (context.dtype(2) != context.dtype(0)) {
    return Invalid("x and updates have different element types");
  }
  return {};
}

Status AddCopy(PrepareContext& context) {
  const Dims shape = context.shape(0), steps = DenseSteps(shape);
  if (IsAloneInInputs(context)) context.AllowInPlace(0);
  return AddMoveStep(context, static_cast<int64_t>(SizeOf(context.dtype(0))),
                     {{MoveNest(shape, steps, steps)}});
}

// --- ScatterElements: y[indices[i, j], j] = updates[i, j] for axis 0

struct ElementsState {
  Apply apply;
  Reduction reduction;
  Dims updates, steps;  // steps of y, 0 along the axis
  int64_t axis_size, axis_step;
  int64_t count, element_bytes;
  DType index_type;
};

void RunScatterElements(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ElementsState*>(args.state);
  for (int64_t i = 0; i < state.count; ++i) {
    const int64_t index = IndexAt(state.index_type, args.inputs[1], i, state.axis_size, args.fault);
    if (index < 0) return;
    int64_t to = index * state.axis_step, rest = i;
    for (size_t axis = state.updates.size(); axis-- > 0;) {
      to += rest % state.updates[axis] * state.steps[axis];
      rest /= state.updates[axis];
    }
    state.apply(state.reduction, args.out<std::byte>(0) + to * state.element_bytes,
                args.in<std::byte>(2) + i * state.element_bytes, 1);
  }
}

Status PrepareScatterElements(PrepareContext& context) {
  PARE_TRY(CheckOperands(context));
  PARE_ASSIGN(const Reduction reduction, ReductionOf(context.attrs()));
  const Dims in = context.shape(0), updates = context.shape(2);
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 0), static_cast<int>(in.size())));
  if (context.shape(1) != updates || updates.size() != in.size()) {
    return Invalid("indices and updates have different shapes");
  }
  for (size_t i = 0; i < in.size(); ++i) {
    if (static_cast<int>(i) != axis && updates[i] > in[i]) {
      return Invalid(Text("there are ", updates[i], " updates along axis ", i, " of size ", in[i]));
    }
  }
  PARE_TRY(AddCopy(context));
  ElementsState state{ApplyFor(context.dtype(0)),
                      reduction,
                      updates,
                      DenseSteps(in),
                      in[axis],
                      0,
                      Count(updates),
                      static_cast<int64_t>(SizeOf(context.dtype(0))),
                      context.dtype(1)};
  std::swap(state.axis_step, state.steps[axis]);
  context.AddStep({.run = RunScatterElements,
                   .state = context.State(std::move(state)),
                   .kernel = "scatter_elements"});
  return {};
}

// --- ScatterND: the last axis of the indices holds coordinates of slices of y

struct SlicesState {
  Apply apply;
  Reduction reduction;
  Dims sizes, steps;  // of the indexed axes, steps in bytes
  int64_t slices, slice_elements, slice_bytes;
  DType index_type;
};

void RunScatterND(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const SlicesState*>(args.state);
  const int64_t depth = std::ssize(state.sizes);
  for (int64_t i = 0; i < state.slices; ++i) {
    int64_t to = 0;
    for (int64_t d = 0; d < depth; ++d) {
      const int64_t index =
          IndexAt(state.index_type, args.inputs[1], i * depth + d, state.sizes[d], args.fault);
      if (index < 0) return;
      to += index * state.steps[d];
    }
    state.apply(state.reduction, args.out<std::byte>(0) + to,
                args.in<std::byte>(2) + i * state.slice_bytes, state.slice_elements);
  }
}

Status PrepareScatterND(PrepareContext& context) {
  PARE_TRY(CheckOperands(context));
  PARE_ASSIGN(const Reduction reduction, ReductionOf(context.attrs()));
  const Dims in = context.shape(0), indices = context.shape(1), steps = DenseSteps(in);
  if (indices.empty() || indices.back() < 1 || indices.back() > std::ssize(in)) {
    return Invalid("its indices have more coordinates than x has axes");
  }
  const int64_t depth = indices.back();
  Dims expected(indices.begin(), indices.end() - 1);
  expected.insert(expected.end(), in.begin() + depth, in.end());
  if (context.shape(2) != expected) {
    return Invalid(
        Text("its updates are ", DimsText(context.shape(2)), ", not ", DimsText(expected)));
  }
  PARE_TRY(AddCopy(context));
  const auto bytes = static_cast<int64_t>(SizeOf(context.dtype(0)));
  SlicesState state{ApplyFor(context.dtype(0)), reduction, {}, {}, 0, 0, 0, context.dtype(1)};
  for (int64_t d = 0; d < depth; ++d) {
    state.sizes.push_back(in[d]);
    state.steps.push_back(steps[d] * bytes);
  }
  state.slices = Count(Dims(indices.begin(), indices.end() - 1));
  state.slice_elements = Count(Dims(in.begin() + depth, in.end()));
  state.slice_bytes = state.slice_elements * bytes;
  context.AddStep(
      {.run = RunScatterND, .state = context.State(std::move(state)), .kernel = "scatter_nd"});
  return {};
}

constexpr QuantRule kScatter{.inputs = {{{Role::kActivation}, {}, {Role::kActivation}}},
                             .keep_float = "x and the updates would need the same scale"};

// What was replaced has no gradient any more; what was added to keeps it. The updates' gradient is
// picked from where they went.
Status GradScatter(GradContext& g, const std::string& scatter, const std::string& gather,
                   const graph::Attrs& attrs) {
  PARE_ASSIGN(const Reduction reduction, ReductionOf(g.attrs()));
  if (reduction != Reduction::kNone && reduction != Reduction::kAdd) {
    return Unsupported("only the reductions none and add have one");
  }
  Emitter& emit = g.emit();
  if (reduction == Reduction::kAdd) {
    g.gives(0, g.dy());
  } else if (g.wants(0)) {
    g.gives(0, emit.Add(scatter, {g.dy(), g.in(1), emit.Full(g.in_shape(2), 0)}, attrs));
  }
  if (g.wants(2)) g.gives(2, emit.Add(gather, {g.dy(), g.in(1)}, attrs));
  return {};
}
Status GradScatterElements(GradContext& g) {
  return GradScatter(g, "ScatterElements", "GatherElements", {{"axis", g.attrs().i("axis", 0)}});
}
Status GradScatterND(GradContext& g) { return GradScatter(g, "ScatterND", "GatherND", {}); }

}  // namespace

extern constinit const OpDef kScatterElements{.name = "ScatterElements",
                                              .inputs = {{{"x"}, {"indices"}, {"updates"}}},
                                              .outputs = {{{"y"}}},
                                              .infer = InferSameType,
                                              .prepare = PrepareScatterElements,
                                              .grad = {.emit = GradScatterElements},
                                              .quant = kScatter,
                                              .channels = kByIndex};

extern constinit const OpDef kScatterND{.name = "ScatterND",
                                        .inputs = {{{"x"}, {"indices"}, {"updates"}}},
                                        .outputs = {{{"y"}}},
                                        .infer = InferSameType,
                                        .prepare = PrepareScatterND,
                                        .grad = {.emit = GradScatterND},
                                        .quant = kScatter,
                                        .channels = kByIndex};

}  // namespace pare::ops
