// Transpose: axes in another order. After joining what stays together, either rows remain whole (a
// move), or planes are transposed: one axis runs along the input's memory, another along the
// output's.
#include "kernels/transpose/transpose.h"

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/move.h"

namespace pare::ops {
namespace {

using graph::Shape;

Result<std::vector<int>> Order(const graph::Attrs& attrs, int rank) {
  std::vector<int> order;
  const graph::Ints given = attrs.ints("perm");
  if (given.empty()) {
    for (int i = rank; i-- > 0;) order.push_back(i);
    return order;
  }
  if (std::ssize(given) != rank) return Invalid(Text("perm has ", given.size(), " axes of ", rank));
  std::vector<bool> seen(rank);
  for (int64_t axis : given) {
    PARE_ASSIGN(const int at, NormalizeAxis(axis, rank, "perm"));
    if (seen[at]) return Invalid(Text("perm has axis ", axis, " twice"));
    seen[at] = true;
    order.push_back(at);
  }
  return order;
}

Status InferTranspose(InferContext& context) {
  const Shape* shape = context.shape(0);
  if (!shape) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  PARE_ASSIGN(const auto order, Order(context.attrs(), static_cast<int>(shape->size())));
  Shape out;
  for (int axis : order) out.push_back((*shape)[axis]);
  context.set_output(0, context.dtype(0), std::move(out));
  return {};
}

struct TransposeState {
  const kernels::TransposeKernel* kernel;
  kernels::TransposeShape shape;
  std::vector<Nest::Loop> outer;        // around the planes
  int64_t rows, columns, x_row, y_row;  // of a plane
  int64_t row_block, column_block;      // of a task
};

void RunTranspose(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const TransposeState*>(args.state);
  const int64_t row_blocks = kernels::CeilDiv(state.rows, state.row_block);
  const int64_t column_blocks = kernels::CeilDiv(state.columns, state.column_block);
  for (int64_t task = args.begin; task < args.end; ++task) {
    const int64_t row = task % row_blocks * state.row_block;
    const int64_t column = task / row_blocks % column_blocks * state.column_block;
    int64_t from = row * state.x_row + column, to = column * state.y_row + row;
    int64_t rest = task / row_blocks / column_blocks;
    for (size_t i = state.outer.size(); i-- > 0;) {
      const Nest::Loop& loop = state.outer[i];
      from += rest % loop.size * loop.step[0];
      to += rest % loop.size * loop.step[1];
      rest /= loop.size;
    }
    const int64_t bytes = state.shape.element_bytes;
    state.kernel->run(
        state.shape,
        {args.in<std::byte>(0) + from * bytes, args.out<std::byte>(0) + to * bytes,
         std::min(state.row_block, state.rows - row),
         std::min(state.column_block, state.columns - column), state.x_row, state.y_row});
  }
}

Status PreparePlanes(PrepareContext& context, const Nest& nest, size_t along_input) {
  TransposeState state{};
  state.shape.element_bytes = static_cast<int64_t>(SizeOf(context.dtype(0)));
  int64_t planes = 1;
  for (size_t i = 0; i + 1 < nest.loops.size(); ++i) {
    if (i == along_input) continue;
    state.outer.push_back(nest.loops[i]);
    planes *= nest.loops[i].size;
  }
  state.rows = state.shape.rows = nest.loops.back().size;
  state.x_row = nest.loops.back().step[0];
  state.columns = nest.loops[along_input].size;
  state.y_row = nest.loops[along_input].step[1];
  state.column_block = std::min<int64_t>(state.columns, 64);
  state.row_block = std::min(state.rows, kernels::RoundUp(kTaskElements / state.column_block, 64));
  if (state.row_block == state.rows) {
    state.column_block =
        std::min(state.columns, kernels::RoundUp(kernels::CeilDiv(kTaskElements, state.rows), 16));
  }
  const auto* row = kernels::FindTranspose(context.cpu(), state.shape);
  state.kernel = row->functions;
  const int64_t tasks = planes * kernels::CeilDiv(state.rows, state.row_block) *
                        kernels::CeilDiv(state.columns, state.column_block);
  context.AddStep({.run = RunTranspose,
                   .state = context.State(std::move(state)),
                   .tasks = tasks,
                   .kernel = row->name});
  return {};
}

Status PrepareTranspose(PrepareContext& context) {
  PARE_ASSIGN(const auto order, Order(context.attrs(), static_cast<int>(context.shape(0).size())));
  return PreparePermutation(context, context.shape(0), order);
}

void TieTranspose(ChannelContext& c) {
  const auto order = Order(c.attrs(), std::max(0, c.rank(0)));
  if (!order) return;
  for (int i = 0; i < std::ssize(*order); ++i) c.Tie(In(0, (*order)[i]), Out(i));
}

}  // namespace

Status PreparePermutation(PrepareContext& context, const Dims& from,
                          const std::vector<int>& order) {
  const Dims from_steps = DenseSteps(from);
  Dims steps, out;
  for (int axis : order) {
    steps.push_back(from_steps[axis]);
    out.push_back(from[axis]);
  }
  if (Count(out) == 0) return {};
  Nest nest = MoveNest(out, steps, DenseSteps(out));
  Simplify(nest);
  if (nest.loops.size() <= 1) {
    context.Alias(0);
    return {};
  }
  for (size_t i = 0; i + 1 < nest.loops.size(); ++i) {
    if (nest.loops[i].step[0] == 1) return PreparePlanes(context, nest, i);
  }
  return AddMoveStep(context, static_cast<int64_t>(SizeOf(context.dtype(0))), {{std::move(nest)}});
}

namespace {

Status GradTranspose(GradContext& context) {
  const int rank = context.input(0).rank();
  graph::Ints perm = context.attrs().ints("perm"), inverse(rank);
  for (int i = 0; i < rank; ++i) inverse[perm.empty() ? rank - 1 - i : perm[i]] = i;
  context.gives(0, Transpose(context.dy(), inverse));
  return {};
}

}  // namespace

extern constinit const OpDef kTranspose{.name = "Transpose",
                                        .inputs = {{{"x"}}},
                                        .outputs = {{{"y"}}},
                                        .infer = InferTranspose,
                                        .prepare = PrepareTranspose,
                                        .grad = {.emit = GradTranspose},
                                        .quant = kSameScaleRule,
                                        .channels = {.tie = TieTranspose}};

}  // namespace pare::ops
