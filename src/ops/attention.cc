// pare.Attention: y = softmax(scale · q · kᵀ + mask) · v for every head.
//
//   inputs  q [B,H,Tq,D], k [B,H,Tk,D], v [B,H,Tk,Dv], mask? that broadcasts to [B,H,Tq,Tk] and is
//           Tk long in its last dimension
//   attrs   scale = 1; positions_first = [q, k, v, y]: 1 where an operand is [B,T,H,…] instead, so
//           that the Transposes around an attention can be absorbed
#include "kernels/attention/attention.h"

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/optional_input.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;
using kernels::AttentionStrides;

enum Operand { kQ, kK, kV, kMask, kY = 3 };

Result<graph::Ints> PositionsFirst(const NodeView& view) {
  const graph::Ints flags = view.attrs().ints("positions_first", {0, 0, 0, 0});
  if (flags.size() != 4) return Invalid("positions_first must have four elements");
  return flags;
}

// The axis of the heads; that of the positions is the other one of 1 and 2.
int HeadAxis(bool positions_first) { return positions_first ? 2 : 1; }

Status InferAttention(InferContext& context) {
  PARE_ASSIGN(const graph::Ints first, PositionsFirst(context));
  const Shape* q = context.shape(kQ);
  const Shape* v = context.shape(kV);
  if (!q || !v) {
    context.set_output(0, context.dtype(kQ), Shape(4, Dim::Unknown()));
    return {};
  }
  if (q->size() != 4 || v->size() != 4) return Invalid("q, k and v must have four dimensions");
  Shape y(4);
  y[0] = (*q)[0];
  y[HeadAxis(first[kY])] = (*q)[HeadAxis(first[kQ])];
  y[3 - HeadAxis(first[kY])] = (*q)[3 - HeadAxis(first[kQ])];
  y[3] = (*v)[3];
  context.set_output(0, context.dtype(kQ), std::move(y));
  return {};
}

struct AttentionState {
  kernels::AttentionArgs args;
  const kernels::AttentionKernel* kernel;
  OptionalInput mask;
};

void RunAttention(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const AttentionState*>(step.state);
  kernels::AttentionArgs args = state.args;
  args.q = step.in<float>(kQ);
  args.k = step.in<float>(kK);
  args.v = step.in<float>(kV);
  args.mask = state.mask.in<float>(step);
  args.y = step.out<float>(0);
  state.kernel->run(args, step.begin, step.end, step.scratch);
}

AttentionStrides StridesOf(const Dims& shape, bool positions_first) {
  AttentionStrides strides{.batch = shape[1] * shape[2] * shape[3]};
  strides.head = positions_first ? shape[3] : shape[2] * shape[3];
  strides.position = positions_first ? shape[2] * shape[3] : shape[3];
  return strides;
}

Result<AttentionStrides> MaskStrides(Dims mask, const kernels::AttentionShape& s) {
  const Dims all{s.batch, s.heads, s.q_len, s.k_len};
  if (mask.size() > 4) return Invalid("the mask has more than four dimensions");
  mask.insert(mask.begin(), 4 - mask.size(), 1);
  for (int i = 0; i < 4; ++i) {
    const bool fits = mask[i] == all[i] || (i < 3 && mask[i] == 1);
    if (!fits) return Unsupported(Text("the mask ", DimsText(mask), " for ", DimsText(all)));
  }
  AttentionStrides strides;
  if (mask[2] != 1) strides.position = mask[3];
  if (mask[1] != 1) strides.head = mask[2] * mask[3];
  if (mask[0] != 1) strides.batch = mask[1] * mask[2] * mask[3];
  return strides;
}

Status PrepareAttention(PrepareContext& context) {
  for (int i : {kQ, kK, kV, kMask}) {
    if (context.has_input(i) && context.dtype(i) != DType::kF32) {
      return Unsupported(Text("pare's attention is f32, not ", DTypeName(context.dtype(i))));
    }
  }
  PARE_ASSIGN(const graph::Ints first, PositionsFirst(context));
  const Dims q = context.shape(kQ), k = context.shape(kK), v = context.shape(kV);
  if (q.size() != 4 || k.size() != 4 || v.size() != 4) {
    return Invalid("q, k and v must have four dimensions");
  }
  const auto heads = [&](const Dims& dims, int i) { return dims[HeadAxis(first[i] != 0)]; };
  const auto length = [&](const Dims& dims, int i) { return dims[3 - HeadAxis(first[i] != 0)]; };
  const kernels::AttentionShape shape{.batch = q[0],
                                      .heads = heads(q, kQ),
                                      .q_len = length(q, kQ),
                                      .k_len = length(k, kK),
                                      .d = q[3],
                                      .dv = v[3]};
  if (k[0] != q[0] || v[0] != q[0] || heads(k, kK) != shape.heads || heads(v, kV) != shape.heads ||
      length(v, kV) != shape.k_len || k[3] != shape.d) {
    return Invalid(Text("q ", DimsText(q), ", k ", DimsText(k), " and v ", DimsText(v),
                        " do not fit together"));
  }
  if (shape.batch * shape.heads * shape.q_len * shape.dv == 0) return {};
  const auto* row = kernels::FindAttention(context.cpu(), shape);
  AttentionState state{.args = {.shape = shape,
                                .scale = context.attrs().f("scale", 1.0f),
                                .q_strides = StridesOf(q, first[kQ] != 0),
                                .k_strides = StridesOf(k, first[kK] != 0),
                                .v_strides = StridesOf(v, first[kV] != 0),
                                .mask_strides = {},
                                .y_strides = StridesOf(context.output_shape(), first[kY] != 0)},
                       .kernel = row->functions,
                       .mask = {context, kMask}};
  if (state.mask) {
    PARE_ASSIGN(state.args.mask_strides, MaskStrides(context.shape(kMask), shape));
  }
  context.AddStep({.run = RunAttention,
                   .state = context.State(state),
                   .tasks = row->functions->tasks(shape),
                   .scratch_bytes = static_cast<size_t>(row->functions->scratch_bytes(shape)),
                   .kernel = row->name});
  return {};
}

Cost CostOfAttention(const NodeView& view) {
  if (!view.input(kQ).is_static() || !view.input(kK).is_static() || !view.input(kV).is_static()) {
    return {};
  }
  const Dims q = view.input(kQ).dims(), k = view.input(kK).dims(), v = view.input(kV).dims();
  const auto first = PositionsFirst(view);
  if (!first || q.size() != 4 || k.size() != 4 || v.size() != 4) return {};
  const int64_t keys = k[3 - HeadAxis((*first)[kK] != 0)];
  const int64_t queries = Work({q[0], q[1], q[2]});
  return {.macs = Work({queries, keys, q[3]}) / 2 + Work({queries, keys, v[3]}) / 2};
}

// P = softmax(S), S = scale · q·kᵀ + mask, y = P·v:
//   dv = Pᵀ·dy,  dS = P · (dP − Σ P·dP) with dP = dy·vᵀ,  dq = scale · dS·k,  dk = scale · dSᵀ·q
Status GradAttention(GradContext& g) {
  PARE_ASSIGN(const graph::Ints first, PositionsFirst(g));
  const auto turned = [&](Var x, int operand) {
    return first[operand] != 0 ? Transpose(x, {0, 2, 1, 3}) : x;
  };
  const Var q = turned(g.in(kQ), kQ), k = turned(g.in(kK), kK), v = turned(g.in(kV), kV);
  const Var dy = turned(g.dy(), kY);
  const float scale = g.attrs().f("scale", 1.0f);
  Var scores = MatMul(q, TransposeMatrix(k)) * scale;
  if (g.has_input(kMask)) scores = scores + g.in(kMask);
  const Var p = g.emit().Add("Softmax", {scores}, {{"axis", int64_t{-1}}});
  if (g.wants(kV)) g.gives(kV, turned(MatMul(TransposeMatrix(p), dy), kV));
  const Var dp = MatMul(dy, TransposeMatrix(v));
  const Var ds = g.emit().Add("pare.SoftmaxGrad", {p, dp});
  if (g.wants(kQ)) g.gives(kQ, turned(MatMul(ds, k) * scale, kQ));
  if (g.wants(kK)) g.gives(kK, turned(MatMul(TransposeMatrix(ds), q) * scale, kK));
  if (g.has_input(kMask)) g.gives(kMask, ds);
  return {};
}

}  // namespace

extern constinit const OpDef kAttention{
    .name = "pare.Attention",
    .inputs = {{{"q"}, {"k"}, {"v"}, {"mask", Presence::kOptional}}},
    .outputs = {{{"y"}}},
    .infer = InferAttention,
    .prepare = PrepareAttention,
    .grad = {.emit = GradAttention},
    .quant = {.keep_float = "its softmax needs more than 8 bits near 0"},
    .channels = kOwnForm,
    .cost = CostOfAttention,
    .accuracy = Accuracy::kApproximate};

}  // namespace pare::ops
