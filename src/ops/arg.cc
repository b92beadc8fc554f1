// ArgMax and ArgMin: where along an axis the largest or smallest element stands.
#include "kernels/number.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/nest.h"

namespace pare::ops {
namespace {

using graph::Shape;

Status InferArg(InferContext& context) {
  const Shape* shape = context.shape(0);
  if (!shape) {
    context.set_output(0, DType::kI64);
    return {};
  }
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 0), static_cast<int>(shape->size())));
  Shape out = *shape;
  if (context.attrs().i("keepdims", 1) != 0) {
    out[axis] = 1;
  } else {
    out.erase(out.begin() + axis);
  }
  context.set_output(0, DType::kI64, std::move(out));
  return {};
}

struct ArgState {
  int64_t size, inner, outputs, outputs_per_task;
};

template <typename T, bool kLargest, bool kLast>
void RunArg(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ArgState*>(args.state);
  const int64_t end = std::min(args.end * state.outputs_per_task, state.outputs);
  for (int64_t i = args.begin * state.outputs_per_task; i < end; ++i) {
    const T* x = args.in<T>(0) + i / state.inner * state.size * state.inner + i % state.inner;
    auto best = kernels::ToNumber(*x);
    int64_t at = 0;
    for (int64_t j = 1; j < state.size; ++j) {
      const auto value = kernels::ToNumber(x[j * state.inner]);
      const bool better = kLargest ? value > best : value < best;
      if (better || (kLast && value == best)) {
        best = value;
        at = j;
      }
    }
    args.out<int64_t>(0)[i] = at;
  }
}

template <bool kLargest>
Status PrepareArg(PrepareContext& context) {
  const Dims shape = context.shape(0);
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 0), static_cast<int>(shape.size())));
  if (shape[axis] == 0) return Invalid("the axis has no elements");
  void (*run)(const StepArgs&) noexcept = nullptr;
  const bool last = context.attrs().i("select_last_index", 0) != 0;
  VisitDType(context.dtype(0), [&]<typename T>(T) {
    if constexpr (!std::is_same_v<T, bool>) {
      run = last ? RunArg<T, kLargest, true> : RunArg<T, kLargest, false>;
    }
  });
  if (!run) return Unsupported("it has no meaning for bool");
  ArgState state{shape[axis], Count(Dims(shape.begin() + axis + 1, shape.end())),
                 Count(context.output_shape()), std::max<int64_t>(1, kTaskElements / shape[axis])};
  AddStepIfAny(context,
               {.run = run,
                .state = context.State(state),
                .tasks = (state.outputs + state.outputs_per_task - 1) / state.outputs_per_task,
                .kernel = "arg"});
  return {};
}

constexpr QuantRule kIndex{.keep_float = "it gives indices, not numbers"};

}  // namespace

extern constinit const OpDef kArgMax{
    .name = "ArgMax",
    .inputs = {{{"x"}}},
    .outputs = {{{"indices"}}},
    .infer = InferArg,
    .prepare = PrepareArg<true>,
    .grad = kNoSlope,
    .quant = kIndex,
    .channels = {.none = "its result is a position, which removal would move"}};

extern constinit const OpDef kArgMin{
    .name = "ArgMin",
    .inputs = {{{"x"}}},
    .outputs = {{{"indices"}}},
    .infer = InferArg,
    .prepare = PrepareArg<false>,
    .grad = kNoSlope,
    .quant = kIndex,
    .channels = {.none = "its result is a position, which removal would move"}};

}  // namespace pare::ops
