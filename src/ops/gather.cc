// Gather: y = x's slices along an axis, picked by indices.
#include <cstring>

#include "kernels/kernel.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/index.h"
#include "ops/nest.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

Status InferGather(InferContext& context) {
  const Shape* shape = context.shape(0);
  const Shape* indices = context.shape(1);
  if (!shape || !indices) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 0), static_cast<int>(shape->size())));
  Shape out(shape->begin(), shape->begin() + axis);
  out.insert(out.end(), indices->begin(), indices->end());
  out.insert(out.end(), shape->begin() + axis + 1, shape->end());
  context.set_output(0, context.dtype(0), std::move(out));

  const Shape* dims = context.dims_value(0);
  const auto at = context.ints(1);
  if (!dims || !at || indices->size() > 1 || shape->size() != 1) return {};
  Shape picked;
  for (int64_t i : *at) {
    PARE_ASSIGN(const int index, NormalizeAxis(i, static_cast<int>(dims->size()), "the index"));
    picked.push_back((*dims)[index]);
  }
  context.set_dims_value(0, std::move(picked));
  return {};
}

struct GatherState {
  DType index_type;
  int64_t axis_size, indices;       // of x along the axis; how many are picked
  int64_t slice_bytes;              // below the axis
  int64_t slices, slices_per_task;  // of y
};

void RunGather(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const GatherState*>(args.state);
  const std::byte* x = args.in<std::byte>(0);
  const int64_t bytes = state.slice_bytes;
  const int64_t end = std::min(args.end * state.slices_per_task, state.slices);
  for (int64_t i = args.begin * state.slices_per_task; i < end; ++i) {
    const int64_t index =
        IndexAt(state.index_type, args.inputs[1], i % state.indices, state.axis_size, args.fault);
    const int64_t outer = i / state.indices;
    std::byte* y = args.out<std::byte>(0) + i * bytes;
    if (index < 0) {
      std::memset(y, 0, static_cast<size_t>(bytes));
    } else {
      std::memcpy(y, x + (outer * state.axis_size + index) * bytes, static_cast<size_t>(bytes));
    }
  }
}

Status PrepareGather(PrepareContext& context) {
  const Dims in = context.shape(0);
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 0), static_cast<int>(in.size())));
  PARE_TRY(CheckIndexType(context.dtype(1)));
  const Dims outer(in.begin(), in.begin() + axis), inner(in.begin() + axis + 1, in.end());
  const int64_t indices = Count(context.shape(1)), elements = Count(inner);
  const GatherState state{context.dtype(1),
                          in[axis],
                          indices,
                          elements * static_cast<int64_t>(SizeOf(context.dtype(0))),
                          Count(outer) * indices,
                          std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, elements))};
  AddStepIfAny(context, {.run = RunGather,
                         .state = context.State(state),
                         .tasks = kernels::CeilDiv(state.slices, state.slices_per_task),
                         .kernel = "gather"});
  return {};
}

// The indices as one axis, along which the slices of dy are summed where they were picked.
Status GradGather(GradContext& g) {
  const Dims in = g.in_shape(0);
  PARE_ASSIGN(const int axis, NormalizeAxis(g.attrs().i("axis", 0), g.input(0).rank()));
  Dims picked = in;
  picked[axis] = Count(g.in_shape(1));
  const Var indices = Reshape(g.in(1), {picked[axis]});
  g.gives(0, SumAt(Reshape(g.dy(), picked), indices, axis, in[axis]));
  return {};
}

// The axes around the picked one are the output's. Along that one, constant indices tie place to
// place; others could pick any.
void TieGather(ChannelContext& c) {
  const int axis = c.axis("axis", 0), picked = c.rank(1);
  if (axis < 0 || picked < 0) return;
  for (int i = 0; i < c.rank(0); ++i) {
    if (i != axis) c.Tie(In(0, i), Out(i < axis ? i : i + picked - 1));
  }
  const auto indices = c.ints(1);
  const int64_t size = c.size(In(0, axis));
  if (!indices || picked != 1 || size < 0) {
    for (int i = 0; i < picked; ++i) c.Tie(In(1, i), Out(axis + i));
    return;
  }
  c.Free(In(0, axis));
  for (int64_t i = 0; i < std::ssize(*indices); ++i) {
    const int64_t index = (*indices)[i] < 0 ? (*indices)[i] + size : (*indices)[i];
    if (index < 0 || index >= size) return c.Fix(In(0, axis), "an index is outside");
    c.TiePosition(In(0, axis), index, Out(axis), i);
    c.TiePosition(In(1, 0), i, Out(axis), i);
  }
}

// Indices of what stays, by the new places.
Status EditGather(ChannelEdit& e) {
  PARE_ASSIGN(const int axis, NormalizeAxis(e.attrs().i("axis", 0), e.input(0).rank()));
  const ChannelEdit::Kept* data = e.kept(In(0, axis));
  if (!data || !e.constant(1)) return {};
  PARE_ASSIGN(const auto old, e.Ints(1, "indices"));
  std::vector<int64_t> indices;
  const ChannelEdit::Kept* stay = e.kept(In(1, 0));
  for (int64_t i = 0; i < (stay ? std::ssize(*stay) : std::ssize(old)); ++i) {
    const int64_t index = old[stay ? (*stay)[i] : i];
    const int64_t place = index < 0 ? index + e.old_size(In(0, axis)) : index;
    indices.push_back(e.KeptWithin(In(0, axis), 0, place));
  }
  return e.SetInts(1, "indices", indices);
}

// An embedding: its rows, of a length of about √2 from scratch, stand for a layer's sums.
int64_t FanInOfGather(const NodeView& view, int input) {
  return input == 0 ? view.input(0).dims().back() : 0;
}

}  // namespace

extern constinit const OpDef kGather{
    .name = "Gather",
    .inputs = {{{"x"}, {"indices"}}},
    .outputs = {{{"y"}}},
    .infer = InferGather,
    .prepare = PrepareGather,
    .grad = {.emit = GradGather, .parameters = Inputs({0}), .fan_in = FanInOfGather},
    .quant = kSameScaleRule,
    .channels = {.tie = TieGather, .edit = EditGather}};

}  // namespace pare::ops
