// pare.BatchNorm: BatchNormalization as it is computed in training, with the statistics of the
// batch, and what follows it fused.
#include "ops/batchnorm_train.h"

#include "ops/activation_attr.h"
#include "ops/channels.h"
#include "ops/grad.h"
#include "ops/optional_input.h"
#include "ops/optional_output.h"

namespace pare::ops {

using kernels::BatchNormArgs;
using kernels::BatchNormKernel;

Result<BatchNormPlan> PlanBatchNorm(const PrepareContext& context,
                                    std::initializer_list<int> vectors,
                                    std::initializer_list<int> like_x) {
  PARE_TRY(RequireF32(context));
  const ChannelView view = ViewChannels(context.shape(0), LayoutOf(context));
  const auto check = [&](int i, const Dims& shape) -> Status {
    if (!context.has_input(i) || context.shape(i) == shape) return {};
    return Invalid(Text("an input has the shape ", DimsText(context.shape(i)), " instead of ",
                        DimsText(shape)));
  };
  for (int i : vectors) PARE_TRY(check(i, {view.channels}));
  for (int i : like_x) PARE_TRY(check(i, context.shape(0)));
  if (view.images * view.pixels * view.channels == 0)
    return Unsupported("a batch of nothing has no mean");
  PARE_ASSIGN(const kernels::Activation activation, ReadActivation(context.attrs()));
  if (!activation.is_clamp()) return Unsupported("only clamps are fused into it");
  const kernels::BatchNormShape shape{.images = view.images,
                                      .pixels = view.pixels,
                                      .channels = view.channels,
                                      .channels_last = view.channels_last};
  return BatchNormPlan{.shape = shape,
                       .lo = activation.clamp_lo(),
                       .hi = activation.clamp_hi(),
                       .row = kernels::FindBatchNorm(context.cpu(), shape)};
}

namespace {

enum Input { kX, kScale, kBias, kRunningMean, kRunningVariance, kResidual };
enum Output { kY, kMean, kInverseStd, kNewRunningMean, kNewRunningVariance };

Status InferBatchNorm(InferContext& context) {
  if (const graph::Shape* x = context.shape(kX); x && x->size() < 2)
    return Invalid("its input has less than two dimensions");
  context.set_output(kY, context.input(kX));
  for (int i = kMean; i <= kNewRunningVariance; ++i) context.set_output(i, context.input(kScale));
  return {};
}

struct State {
  BatchNormArgs args{};
  const BatchNormKernel* kernel = nullptr;
  OptionalInput residual{};
  int partial = -1;
  OptionalOutput mean{}, inverse_std{}, new_running_mean{}, new_running_variance{};
};

BatchNormArgs ArgsOf(const State& state, const StepArgs& step) {
  BatchNormArgs args = state.args;
  args.x = step.in<float>(kX);
  args.residual = state.residual.in<float>(step);
  args.scale = step.in<float>(kScale);
  args.bias = step.in<float>(kBias);
  args.running_mean = step.in<float>(kRunningMean);
  args.running_variance = step.in<float>(kRunningVariance);
  args.partial = static_cast<float*>(step.temps[state.partial]);
  args.mean = state.mean.out<float>(step);
  args.inverse_std = state.inverse_std.out<float>(step);
  args.new_running_mean = state.new_running_mean.out<float>(step);
  args.new_running_variance = state.new_running_variance.out<float>(step);
  args.y = step.out<float>(kY);
  return args;
}

template <auto kFunction>
void Run(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const State*>(step.state);
  (state.kernel->*kFunction)(ArgsOf(state, step), step.begin, step.end);
}

Status PrepareBatchNorm(PrepareContext& context) {
  PARE_ASSIGN(const BatchNormPlan plan,
              PlanBatchNorm(context, {kScale, kBias, kRunningMean, kRunningVariance}, {kResidual}));
  const BatchNormKernel& kernel = *plan.row->functions;
  const auto* state = context.State(
      State{.args = {.shape = plan.shape,
                     .epsilon = context.attrs().f("epsilon", 1e-5f),
                     .momentum = context.attrs().f("momentum", 0.9f),
                     .lo = plan.lo,
                     .hi = plan.hi},
            .kernel = &kernel,
            .residual = {context, kResidual},
            .partial = context.Temp(plan.partial_bytes()),
            .mean = OptionalOutput::OrTemp(context, kMean, plan.vector_bytes()),
            .inverse_std = OptionalOutput::OrTemp(context, kInverseStd, plan.vector_bytes()),
            .new_running_mean = {context, kNewRunningMean},
            .new_running_variance = {context, kNewRunningVariance}});
  context.AllowInPlace(kX);
  context.AllowInPlace(kResidual);
  context.AllowInPlace(kRunningMean, kNewRunningMean);
  context.AllowInPlace(kRunningVariance, kNewRunningVariance);
  const int64_t sweep = kernel.sweep_tasks(plan.shape);
  const int64_t channels = kernel.channel_tasks(plan.shape);
  context.AddStep({Run<&BatchNormKernel::moments>, state, sweep, 0, plan.row->name});
  context.AddStep({Run<&BatchNormKernel::statistics>, state, channels, 0, plan.row->name});
  context.AddStep({Run<&BatchNormKernel::normalize>, state, sweep, 0, plan.row->name});
  return {};
}

// Without a residual, what passed the clamp follows from x, which is read anyway.
Status GradBatchNorm(GradContext& g) {
  for (int i = kMean; i < g.outputs(); ++i) {
    if (g.has_dy(i)) return Unsupported("the loss depends on its statistics");
  }
  const bool clamped = !g.attrs().s("activation").empty();
  const bool residual = g.has_input(kResidual), masked = clamped && residual && g.wants(kResidual);
  std::vector<Var> inputs{g.in(kX), g.in(kScale), g.saved(kMean), g.saved(kInverseStd), g.dy()};
  if (clamped) inputs.push_back(residual ? Var() : g.in(kBias));
  if (clamped && residual) inputs.push_back(g.out());
  graph::Attrs attrs = g.attrs();
  for (std::string_view forward : {"epsilon", "momentum"}) attrs.erase(forward);
  const auto d = g.emit().AddMany("pare.BatchNormGrad", inputs, masked ? 4 : 3, std::move(attrs));
  for (int i : {kX, kScale, kBias}) g.gives(i, d[i]);
  if (residual) g.gives(kResidual, masked ? d[3] : g.dy());
  return {};
}

}  // namespace

extern constinit const OpDef kBatchNorm{
    .name = "pare.BatchNorm",
    .inputs = {{{"x"},
                {"scale"},
                {"bias"},
                {"running_mean"},
                {"running_variance"},
                {"residual", Presence::kOptional}}},
    .outputs = {{{"y"},
                 {"mean", Presence::kOptional},
                 {"inverse_std", Presence::kOptional},
                 {"new_running_mean", Presence::kOptional},
                 {"new_running_variance", Presence::kOptional}}},
    .infer = InferBatchNorm,
    .prepare = PrepareBatchNorm,
    .grad = {.emit = GradBatchNorm, .parameters = Inputs({kScale, kBias})},
    .quant = {.keep_float = "it is of training"},
    .channels = kOfTraining,
    .cost = PerElement<8>,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
