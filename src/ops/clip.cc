// Clip: y = min(max(x, min), max). The limits are inputs and may be computed.
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/nest.h"
#include "ops/optional_input.h"
#include "ops/unary.h"

namespace pare::ops {
namespace {

struct ClipState {
  kernels::UnaryRun run_f32;
  kernels::ClipRun run_any;
  OptionalInput lo, hi;
  int64_t count, element_bytes;
};

void RunClip(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ClipState*>(args.state);
  const int64_t begin = args.begin * kTaskElements;
  const int64_t count = std::min(args.end * kTaskElements, state.count) - begin;
  const std::byte* x = args.in<std::byte>(0) + begin * state.element_bytes;
  std::byte* y = args.out<std::byte>(0) + begin * state.element_bytes;
  if (state.run_f32) {
    const float infinity = __builtin_inff();
    const float* lo = state.lo.in<float>(args);
    const float* hi = state.hi.in<float>(args);
    state.run_f32({x, y, count, lo ? *lo : -infinity, hi ? *hi : infinity});
  } else {
    state.run_any({x, state.lo.in<void>(args), state.hi.in<void>(args), y, count});
  }
}

Status PrepareClip(PrepareContext& context) {
  const DType dtype = context.dtype(0);
  ClipState state{};
  for (int i : {1, 2}) {
    if (!context.has_input(i)) continue;
    if (context.dtype(i) != dtype || Count(context.shape(i)) != 1) {
      return Invalid("min and max must be single numbers of the input's type");
    }
  }
  const auto choice = kernels::FindUnary(context.cpu(), kernels::UnaryFunction::kClip, dtype);
  state.run_f32 = dtype == DType::kF32 ? choice.run : nullptr;
  state.run_any = kernels::FindClip(dtype);
  if (!state.run_any) return Unsupported(Text("it has no meaning for ", DTypeName(dtype)));
  state.lo = OptionalInput(context, 1);
  state.hi = OptionalInput(context, 2);
  state.count = Count(context.shape(0));
  state.element_bytes = static_cast<int64_t>(SizeOf(dtype));
  context.AllowInPlace(0);
  AddStepIfAny(context, {.run = RunClip,
                         .state = context.State(state),
                         .tasks = ElementTasks(state.count),
                         .kernel = state.run_f32 ? choice.name : "clip_any"});
  return {};
}

// At a limit itself x still moves y.
Status GradClip(GradContext& g) {
  const Var zero = g.emit().Scalar(0), lo = g.in(1), hi = g.in(2);
  Var dx = g.dy();
  if (lo) {
    const Var below = Less(g.in(0), lo);
    if (g.wants(1)) g.gives(1, Where(below, dx, zero));
    dx = Where(below, zero, dx);
  }
  if (hi) {
    const Var above = Less(hi, g.in(0));
    if (g.wants(2)) g.gives(2, Where(above, dx, zero));
    dx = Where(above, zero, dx);
  }
  g.gives(0, dx);
  return {};
}

}  // namespace

extern constinit const OpDef kClip{
    .name = "Clip",
    .inputs = {{{"x"}, {"min", Presence::kOptional}, {"max", Presence::kOptional}}},
    .outputs = {{{"y"}}},
    .infer = InferSameType,
    .prepare = PrepareClip,
    .grad = {.emit = GradClip},
    .quant = kIntegerUnary,
    .channels = kElementwise,
    .cost = PerElement<2>};

}  // namespace pare::ops
