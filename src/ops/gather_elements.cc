// Indices of single elements and of slices in several axes: GatherElements, GatherND.
#include <cstring>

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/index.h"
#include "ops/nest.h"

namespace pare::ops {
namespace {

using graph::Shape;

// --- GatherElements: y[i, j, k] = x[i, indices[i, j, k], k] for axis 1

Status InferGatherElements(InferContext& context) {
  graph::TensorType type = context.input(1);
  type.dtype = context.dtype(0);
  context.set_output(0, std::move(type));
  return {};
}

struct ElementsState {
  Dims out, steps;  // steps of x, 0 along the axis
  int axis;
  int64_t axis_size, axis_step;
  int64_t count, element_bytes;
  DType index_type;
};

void RunGatherElements(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ElementsState*>(args.state);
  const int64_t end = std::min(args.end * kTaskElements, state.count);
  for (int64_t i = args.begin * kTaskElements; i < end; ++i) {
    const int64_t index = IndexAt(state.index_type, args.inputs[1], i, state.axis_size, args.fault);
    if (index < 0) return;
    int64_t from = index * state.axis_step, rest = i;
    for (size_t axis = state.out.size(); axis-- > 0;) {
      from += rest % state.out[axis] * state.steps[axis];
      rest /= state.out[axis];
    }
    std::memcpy(args.out<std::byte>(0) + i * state.element_bytes,
                args.in<std::byte>(0) + from * state.element_bytes,
                static_cast<size_t>(state.element_bytes));
  }
}

Status PrepareGatherElements(PrepareContext& context) {
  const Dims in = context.shape(0), out = context.output_shape();
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 0), static_cast<int>(in.size())));
  PARE_TRY(CheckIndexType(context.dtype(1)));
  if (out.size() != in.size()) return Invalid("x and indices have different ranks");
  ElementsState state{out,
                      DenseSteps(in),
                      axis,
                      in[axis],
                      0,
                      Count(out),
                      static_cast<int64_t>(SizeOf(context.dtype(0))),
                      context.dtype(1)};
  for (size_t i = 0; i < in.size(); ++i) {
    if (static_cast<int>(i) != axis && out[i] > in[i]) {
      return Invalid(Text("there are ", out[i], " indices along axis ", i, " of size ", in[i]));
    }
  }
  std::swap(state.axis_step, state.steps[axis]);
  AddStepIfAny(context, {.run = RunGatherElements,
                         .state = context.State(std::move(state)),
                         .tasks = ElementTasks(Count(out)),
                         .kernel = "gather_elements"});
  return {};
}

// --- GatherND: the last axis of the indices holds coordinates of slices of x

Status InferGatherND(InferContext& context) {
  const Shape* shape = context.shape(0);
  const Shape* indices = context.shape(1);
  if (!shape || !indices || indices->empty() || !indices->back().known()) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  const int64_t batch = context.attrs().i("batch_dims", 0), depth = indices->back().size();
  const int64_t rank = std::ssize(*shape);
  if (batch < 0 || batch >= std::ssize(*indices) || depth < 1 || batch + depth > rank) {
    return Invalid(Text("its indices have ", depth, " coordinates for ", rank, " axes"));
  }
  Shape out(indices->begin(), indices->end() - 1);
  out.insert(out.end(), shape->begin() + batch + depth, shape->end());
  context.set_output(0, context.dtype(0), std::move(out));
  return {};
}

struct SlicesState {
  Dims sizes, steps;                 // of the indexed axes, steps in bytes
  int64_t slices, slices_per_batch;  // tuples of coordinates
  int64_t batch_bytes, slice_bytes;
  DType index_type;
};

void RunGatherND(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const SlicesState*>(args.state);
  const int64_t depth = std::ssize(state.sizes);
  for (int64_t i = args.begin; i < args.end; ++i) {
    int64_t from = i / state.slices_per_batch * state.batch_bytes;
    for (int64_t d = 0; d < depth; ++d) {
      const int64_t index =
          IndexAt(state.index_type, args.inputs[1], i * depth + d, state.sizes[d], args.fault);
      if (index < 0) return;
      from += index * state.steps[d];
    }
    std::memcpy(args.out<std::byte>(0) + i * state.slice_bytes, args.in<std::byte>(0) + from,
                static_cast<size_t>(state.slice_bytes));
  }
}

Status PrepareGatherND(PrepareContext& context) {
  const Dims in = context.shape(0), indices = context.shape(1), steps = DenseSteps(in);
  PARE_TRY(CheckIndexType(context.dtype(1)));
  const int64_t batch = context.attrs().i("batch_dims", 0), depth = indices.back();
  const auto bytes = static_cast<int64_t>(SizeOf(context.dtype(0)));
  for (int64_t i = 0; i < batch; ++i) {
    if (in[i] != indices[i]) return Invalid("x and indices have different batches");
  }
  SlicesState state;
  for (int64_t d = 0; d < depth; ++d) {
    state.sizes.push_back(in[batch + d]);
    state.steps.push_back(steps[batch + d] * bytes);
  }
  state.slices = Count(Dims(indices.begin(), indices.end() - 1));
  const int64_t batches = Count(Dims(in.begin(), in.begin() + batch));
  state.slices_per_batch = std::max<int64_t>(1, state.slices / std::max<int64_t>(1, batches));
  state.batch_bytes = Count(Dims(in.begin() + batch, in.end())) * bytes;
  state.slice_bytes = Count(Dims(in.begin() + batch + depth, in.end())) * bytes;
  state.index_type = context.dtype(1);
  const int64_t tasks = state.slices;
  AddStepIfAny(context, {.run = RunGatherND,
                         .state = context.State(std::move(state)),
                         .tasks = tasks,
                         .kernel = "gather_nd"});
  return {};
}

Status GradGatherElements(GradContext& g) {
  g.gives(0, g.emit().Add("ScatterElements", {g.emit().Full(g.in_shape(0), 0), g.in(1), g.dy()},
                          {{"axis", g.attrs().i("axis", 0)}, {"reduction", std::string("add")}}));
  return {};
}

// Coordinates that begin with those of the batch, which GatherND counts through by itself.
Var WithBatch(Var indices, int64_t batch) {
  if (batch == 0) return indices;
  const Dims shape = indices.dims();
  const Dims tuples(shape.begin(), shape.end() - 1), steps = DenseSteps(tuples);
  Dims all = tuples;
  all.push_back(batch);
  std::vector<int64_t> counted;
  for (int64_t i = 0; i < Count(tuples); ++i) {
    for (int64_t axis = 0; axis < batch; ++axis) counted.push_back(i / steps[axis] % tuples[axis]);
  }
  Emitter& emit = indices.emitter();
  const Var wide =
      emit.Add("Cast", {indices}, {{"to", static_cast<int64_t>(DTypeToOnnx(DType::kI64))}});
  return Concat({emit.Constant(Tensor::Of<int64_t>(all, counted)), wide}, -1);
}

Status GradGatherND(GradContext& g) {
  const Var indices = WithBatch(g.in(1), g.attrs().i("batch_dims", 0));
  g.gives(0, g.emit().Add("ScatterND", {g.emit().Full(g.in_shape(0), 0), indices, g.dy()},
                          {{"reduction", std::string("add")}}));
  return {};
}

}  // namespace

extern constinit const OpDef kGatherElements{.name = "GatherElements",
                                             .inputs = {{{"x"}, {"indices"}}},
                                             .outputs = {{{"y"}}},
                                             .infer = InferGatherElements,
                                             .prepare = PrepareGatherElements,
                                             .grad = {.emit = GradGatherElements},
                                             .quant = kSameScaleRule,
                                             .channels = kByIndex};

extern constinit const OpDef kGatherND{.name = "GatherND",
                                       .inputs = {{{"x"}, {"indices"}}},
                                       .outputs = {{{"y"}}},
                                       .infer = InferGatherND,
                                       .prepare = PrepareGatherND,
                                       .grad = {.emit = GradGatherND},
                                       .quant = kSameScaleRule,
                                       .channels = kByIndex};

}  // namespace pare::ops
