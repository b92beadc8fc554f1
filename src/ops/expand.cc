// Expand (broadcasting) and Tile (repetition).
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/dim_arithmetic.h"
#include "ops/grad.h"
#include "ops/move.h"
#include "ops/rank.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

Status InferExpand(InferContext& context) {
  const Shape* shape = context.shape(0);
  PARE_ASSIGN(const auto target, ShapeFrom(context, 1));
  if (!shape || !target) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  PARE_ASSIGN(Shape out, BroadcastShapes(*shape, *target));
  const Shape* dims = context.dims_value(0);
  if (dims && dims->size() == 1 && out.size() == 1 && out[0].known() && out[0].size() < 64) {
    context.set_dims_value(0, Shape(out[0].size(), (*dims)[0]));
  }
  context.set_output(0, context.dtype(0), std::move(out));
  return {};
}

Status PrepareExpand(PrepareContext& context) {
  const Dims in = context.shape(0), out = context.output_shape();
  if (Count(in) == Count(out)) {
    context.Alias(0);
    return {};
  }
  Nest nest = BroadcastNest(out, {in, out});
  return AddMoveStep(context, static_cast<int64_t>(SizeOf(context.dtype(0))), {{std::move(nest)}});
}

Status InferTile(InferContext& context) {
  const Shape* shape = context.shape(0);
  if (!shape) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  for (const int64_t repeat : context.ints(1).value_or(std::vector<int64_t>())) {
    if (repeat < 0) return Invalid(Text("a repeat is ", repeat));
  }
  const Shape* repeats = context.dims_value(1);
  Shape out(shape->size(), Dim::Unknown());
  if (repeats) {
    if (repeats->size() != shape->size()) {
      return Invalid(Text(repeats->size(), " repeats for ", shape->size(), " axes"));
    }
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = DimArithmetic(kernels::BinaryFunction::kMul, (*shape)[i], (*repeats)[i]);
    }
  }
  context.set_output(0, context.dtype(0), std::move(out));
  return {};
}

// Each axis becomes two: the repeats, which stand still in the input, and the axis itself.
Status PrepareTile(PrepareContext& context) {
  const Dims in = context.shape(0), out = context.output_shape();
  const Dims from = DenseSteps(in), to = DenseSteps(out);
  if (in == out) {
    context.Alias(0);
    return {};
  }
  if (Count(out) == 0) return {};
  Nest nest;
  for (size_t i = 0; i < in.size(); ++i) {
    nest.loops.push_back({out[i] / in[i], {0, in[i] * to[i]}});
    nest.loops.push_back({in[i], {from[i], to[i]}});
  }
  return AddMoveStep(context, static_cast<int64_t>(SizeOf(context.dtype(0))), {{std::move(nest)}});
}

Status GradExpand(GradContext& context) {
  context.gives(0, context.dy());  // summed over what was repeated
  return {};
}

// Each axis becomes two, and the repeats are summed.
Status GradTile(GradContext& g) {
  const Dims in = g.in_shape(0), out = g.out_shape();
  Dims apart;
  std::vector<int64_t> repeats;
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i] == 0 || out[i] == 0) return Unsupported("it repeats no elements");
    if (out[i] != in[i]) {
      repeats.push_back(std::ssize(apart));
      apart.push_back(out[i] / in[i]);
    }
    apart.push_back(in[i]);
  }
  const Var dy = Reshape(g.dy(), apart);
  g.gives(0, Reshape(repeats.empty() ? dy : ReduceSum(dy, repeats), in));
  return {};
}

void TieExpand(ChannelContext& c) {
  // An axis that only the target makes wide has no channels of its own.
  const int shift = c.rank(-1) - c.rank(0);
  for (int i = 0; i < c.rank(0) && c.constant(1); ++i) c.Tie(In(0, i), Out(i + shift));
}

Status EditExpand(ChannelEdit& e) {
  PARE_ASSIGN(std::vector<int64_t> target, e.Ints(1, "shape"));
  const std::vector<int64_t> before = target;
  const int shift = e.output(0).rank() - static_cast<int>(target.size());
  for (int i = 0; i < std::ssize(target); ++i) {
    if (target[i] > 1) target[i] = e.new_size(Out(i + shift));
  }
  return target == before ? Status() : e.SetInts(1, "shape", target);
}

// Position p of the output repeats p % size; the repeats stay.
void TieTile(ChannelContext& c) {
  for (int i = 0; i < c.rank(0) && c.constant(1); ++i) c.TieFactor(Out(i), In(0, i), 1);
}

}  // namespace

extern constinit const OpDef kExpand{.name = "Expand",
                                     .inputs = {{{"x"}, {"shape"}}},
                                     .outputs = {{{"y"}}},
                                     .infer = InferExpand,
                                     .prepare = PrepareExpand,
                                     .grad = {.emit = GradExpand},
                                     .quant = kSameScaleRule,
                                     .channels = {.tie = TieExpand, .edit = EditExpand}};

extern constinit const OpDef kTile{.name = "Tile",
                                   .inputs = {{{"x"}, {"repeats"}}},
                                   .outputs = {{{"y"}}},
                                   .infer = InferTile,
                                   .prepare = PrepareTile,
                                   .grad = {.emit = GradTile},
                                   .quant = kSameScaleRule,
                                   .channels = {.tie = TieTile}};

}  // namespace pare::ops
