// Where: y = condition ? a : b, all three broadcasting.
#include "kernels/move/select.h"
#include "ops/binary.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/dim_arithmetic.h"
#include "ops/grad.h"
#include "ops/nest.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

void InferChosenDims(InferContext& context) {
  const Shape* condition = context.dims_value(0);
  const Shape* a = context.dims_value(1);
  const Shape* b = context.dims_value(2);
  const auto& type = context.output(0);
  if (!condition || !a || !b || !type.shape || type.shape->size() > 1) return;
  const size_t count = std::max({condition->size(), a->size(), b->size()});
  for (const Shape* dims : {condition, a, b}) {
    if (dims->size() != count && dims->size() != 1) return;
  }
  Shape chosen;
  for (size_t i = 0; i < count; ++i) {
    const Dim truth = DimAt(condition, i);
    chosen.push_back(truth.known() ? DimAt(truth == Dim(0) ? b : a, i) : Dim::Unknown());
  }
  context.set_dims_value(0, std::move(chosen));
}

Status InferWhere(InferContext& context) {
  PARE_TRY(InferBroadcast(context, context.dtype(1)));
  InferChosenDims(context);
  return {};
}

struct WhereState {
  RowTasks tasks;
  int64_t element_bytes;
};

void RunWhere(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const WhereState*>(args.state);
  const RowTasks& tasks = state.tasks;
  tasks.ForEach(args.begin, args.end, [&](const RowTasks::Piece& piece) {
    kernels::Select(state.element_bytes,
                    {.condition = args.in<bool>(0) + piece.offset[0],
                     .a = args.in<std::byte>(1) + piece.offset[1] * state.element_bytes,
                     .b = args.in<std::byte>(2) + piece.offset[2] * state.element_bytes,
                     .y = args.out<std::byte>(0) + piece.out * state.element_bytes,
                     .rows = piece.rows,
                     .columns = piece.columns,
                     .condition_row = tasks.row_step(0),
                     .a_row = tasks.row_step(1),
                     .b_row = tasks.row_step(2),
                     .condition_step = tasks.step(0),
                     .a_step = tasks.step(1),
                     .b_step = tasks.step(2)});
  });
}

Status PrepareWhere(PrepareContext& context) {
  if (context.dtype(0) != DType::kBool) return Invalid("its condition is not bool");
  if (context.dtype(1) != context.dtype(2)) {
    return Invalid("its two choices have different element types");
  }
  const auto* state = context.State(
      WhereState{RowTasks(BroadcastNest(context.output_shape(),
                                        {context.shape(0), context.shape(1), context.shape(2)})),
                 static_cast<int64_t>(SizeOf(context.dtype(1)))});
  for (int i : {1, 2}) {
    if (context.shape(i) == context.output_shape()) context.AllowInPlace(i);
  }
  AddStepIfAny(
      context,
      {.run = RunWhere, .state = state, .tasks = state->tasks.tasks(), .kernel = "select"});
  return {};
}

Status GradWhere(GradContext& context) {
  const Var zero = context.emit().Scalar(0);
  if (context.wants(1)) context.gives(1, Where(context.in(0), context.dy(), zero));
  if (context.wants(2)) context.gives(2, Where(context.in(0), zero, context.dy()));
  return {};
}

}  // namespace

extern constinit const OpDef kWhere{
    .name = "Where",
    .inputs = {{{"condition"}, {"a"}, {"b"}}},
    .outputs = {{{"y"}}},
    .infer = InferWhere,
    .prepare = PrepareWhere,
    .grad = {.emit = GradWhere},
    .quant = {.inputs = {{{}, {Role::kActivation}, {Role::kActivation}}},
              .keep_float = "its two choices would need the same scale"},
    .channels = kElementwise,
    .cost = PerElement<1>};

}  // namespace pare::ops
