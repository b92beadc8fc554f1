// LayerNormalization and RMSNormalization: rows of the elements from `axis` on are normalised, then
// scaled and shifted element by element.
#include <numeric>

#include "ops/channels.h"
#include "ops/grad.h"
#include "ops/norm.h"
#include "ops/optional_input.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

Status InferLayerNorm(InferContext& context) {
  context.set_output(0, context.input(0));
  const Shape* x = context.shape(0);
  if (!x) {
    context.set_output(1, DType::kF32);
    context.set_output(2, DType::kF32);
    return {};
  }
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", -1), static_cast<int>(x->size())));
  Shape statistics = *x;
  std::fill(statistics.begin() + axis, statistics.end(), Dim(1));
  context.set_output(1, DType::kF32, statistics);
  context.set_output(2, DType::kF32, statistics);
  return {};
}

struct RowState {
  kernels::RowNormArgs args;
  const kernels::NormKernel* kernel = nullptr;
  OptionalInput scale{}, bias{};
  bool mean = false, inverse_std = false;
};

void RunRows(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const RowState*>(step.state);
  kernels::RowNormArgs args = state.args;
  args.x = step.in<float>(0);
  args.scale = state.scale.in<float>(step);
  args.bias = state.bias.in<float>(step);
  args.y = step.out<float>(0);
  if (state.mean) args.mean = step.out<float>(1);
  if (state.inverse_std) args.inverse_std = step.out<float>(2);
  state.kernel->rows(args, step.begin, step.end);
}

Status Prepare(PrepareContext& context, bool rms) {
  PARE_TRY(RequireF32(context));
  const Dims x = context.shape(0);
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", -1), static_cast<int>(x.size())));
  kernels::RowNormArgs args{
      .rows = 1, .n = 1, .eps = context.attrs().f("epsilon", 1e-5f), .rms = rms};
  for (size_t i = 0; i < x.size(); ++i) (static_cast<int>(i) < axis ? args.rows : args.n) *= x[i];
  for (int i = 1; i < context.inputs(); ++i) {
    if (context.has_input(i) && CountOf(context.shape(i)).value() != args.n) {
      return Unsupported(Text("an input of shape ", DimsText(context.shape(i)),
                              " would be broadcast over rows of ", args.n));
    }
  }
  if (args.rows * args.n == 0) return {};
  const auto* row = kernels::FindNorm(context.cpu());
  context.AllowInPlace(0);
  auto* state = context.State(RowState{args,
                                       row->functions,
                                       {context, 1},
                                       {context, 2},
                                       context.has_output(1),
                                       context.has_output(2)});
  context.AddStep({.run = RunRows,
                   .state = state,
                   .tasks = row->functions->row_tasks(args.rows, args.n),
                   .kernel = row->name});
  return {};
}

Status PrepareLayerNorm(PrepareContext& context) { return Prepare(context, false); }
Status PrepareRmsNorm(PrepareContext& context) { return Prepare(context, true); }

Status GradLayerNorm(GradContext& g) {
  for (int i = 1; i < g.outputs(); ++i) {
    if (g.has_dy(i)) return Unsupported("the loss depends on its statistics");
  }
  const auto d =
      g.emit().AddMany("pare.LayerNormGrad", {g.in(0), g.in(1), g.saved(1), g.saved(2), g.dy()}, 3);
  for (int i : {0, 1}) g.gives(i, d[i]);
  if (g.has_input(2)) g.gives(2, Reshape(d[2], g.in_shape(2)));
  return {};
}

// n = x · inverse with inverse = 1/√(mean(x²) + ε): dx = inverse · (dn − n · mean(dn · n))
Status GradRmsNorm(GradContext& g) {
  const int rank = g.input(0).rank();
  PARE_ASSIGN(const int axis, NormalizeAxis(g.attrs().i("axis", -1), rank));
  std::vector<int64_t> axes(rank - axis);
  std::iota(axes.begin(), axes.end(), axis);
  const Var x = g.in(0), dy = g.dy();
  const Var inverse = 1.0f / Sqrt(ReduceMean(x * x, axes) + g.attrs().f("epsilon", 1e-5f));
  const Var n = x * inverse, dn = dy * g.in(1);
  if (g.wants(0)) g.gives(0, inverse * (dn - n * ReduceMean(dn * n, axes)));
  if (g.wants(1)) g.gives(1, dy * n);
  return {};
}

constexpr std::string_view kWhy = "its mean and variance need more than 8 bits";

// Scale and bias lie at the last axes; the statistics of a row are of all its elements.
void TieRows(ChannelContext& c) {
  const int rank = c.rank(0), axis = c.axis("axis", -1);
  if (axis < 0) return;
  for (int i = 0; i < rank; ++i) c.Tie(In(0, i), Out(i));
  for (int operand : {1, 2}) {
    for (int i = 0; i < c.rank(operand); ++i) {
      c.Tie(In(operand, i), Out(i + rank - c.rank(operand)));
    }
  }
  for (int i = axis; i < rank; ++i) c.Mix(In(0, i), "normalises over the channels");
}

}  // namespace

extern constinit const OpDef kLayerNormalization{
    .name = "LayerNormalization",
    .inputs = {{{"x"}, {"scale"}, {"bias", Presence::kOptional}}},
    .outputs = {{{"y"}, {"mean", Presence::kOptional}, {"inverse_std", Presence::kOptional}}},
    .infer = InferLayerNorm,
    .prepare = PrepareLayerNorm,
    .grad = {.emit = GradLayerNorm, .parameters = Inputs({1, 2})},
    .quant = {.keep_float = kWhy},
    .channels = {.tie = TieRows},
    .cost = PerElement<8>,
    .accuracy = Accuracy::kRounding};

extern constinit const OpDef kRmsNormalization{
    .name = "RMSNormalization",
    .inputs = {{{"x"}, {"scale"}}},
    .outputs = {{{"y"}}},
    .infer = InferLayerNorm,
    .prepare = PrepareRmsNorm,
    .grad = {.emit = GradRmsNorm, .parameters = Inputs({1})},
    .quant = {.keep_float = kWhy},
    .channels = {.tie = TieRows},
    .cost = PerElement<8>,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
