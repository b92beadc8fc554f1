// pare.BatchNormGrad: the gradient of pare.BatchNorm. `y` or `bias` is there where it had a clamp:
// they tell what passed that.
#include "ops/batchnorm_train.h"
#include "ops/channels.h"
#include "ops/optional_input.h"
#include "ops/optional_output.h"

namespace pare::ops {
namespace {

using kernels::BatchNormGradArgs;
using kernels::BatchNormKernel;

enum Input { kX, kScale, kMean, kInverseStd, kDy, kBias, kY };
enum Output { kDx, kDscale, kDbias, kDz };

Status InferBatchNormGrad(InferContext& context) {
  context.set_output(kDx, context.input(kX));
  context.set_output(kDscale, context.input(kScale));
  context.set_output(kDbias, context.input(kScale));
  context.set_output(kDz, context.input(kX));
  return {};
}

struct State {
  BatchNormGradArgs args{};
  const BatchNormKernel* kernel = nullptr;
  OptionalInput bias{}, y{};
  int partial = -1;
  OptionalOutput dz{};
};

BatchNormGradArgs ArgsOf(const State& state, const StepArgs& step) {
  BatchNormGradArgs args = state.args;
  args.x = step.in<float>(kX);
  args.scale = step.in<float>(kScale);
  args.mean = step.in<float>(kMean);
  args.inverse_std = step.in<float>(kInverseStd);
  args.dy = step.in<float>(kDy);
  args.bias = state.bias.in<float>(step);
  args.y = state.y.in<float>(step);
  args.partial = static_cast<float*>(step.temps[state.partial]);
  args.dx = step.out<float>(kDx);
  args.dscale = step.out<float>(kDscale);
  args.dbias = step.out<float>(kDbias);
  args.dz = state.dz.out<float>(step);
  return args;
}

template <auto kFunction>
void Run(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const State*>(step.state);
  (state.kernel->*kFunction)(ArgsOf(state, step), step.begin, step.end);
}

Status PrepareBatchNormGrad(PrepareContext& context) {
  PARE_ASSIGN(const BatchNormPlan plan,
              PlanBatchNorm(context, {kScale, kMean, kInverseStd, kBias}, {kDy, kY}));
  const BatchNormKernel& kernel = *plan.row->functions;
  const auto* state =
      context.State(State{.args = {.shape = plan.shape, .lo = plan.lo, .hi = plan.hi},
                          .kernel = &kernel,
                          .bias = {context, kBias},
                          .y = {context, kY},
                          .partial = context.Temp(plan.partial_bytes()),
                          .dz = {context, kDz}});
  for (int input : {kX, kDy, kY}) context.AllowInPlace(input);
  const int64_t sweep = kernel.sweep_tasks(plan.shape);
  const int64_t channels = kernel.channel_tasks(plan.shape);
  context.AddStep({Run<&BatchNormKernel::grad_sums>, state, sweep, 0, plan.row->name});
  context.AddStep({Run<&BatchNormKernel::grad_totals>, state, channels, 0, plan.row->name});
  context.AddStep({Run<&BatchNormKernel::grad_input>, state, sweep, 0, plan.row->name});
  return {};
}

}  // namespace

extern constinit const OpDef kBatchNormGrad{
    .name = "pare.BatchNormGrad",
    .inputs = {{{"x"},
                {"scale"},
                {"mean"},
                {"inverse_std"},
                {"dy"},
                {"bias", Presence::kOptional},
                {"y", Presence::kOptional}}},
    .outputs = {{{"dx"}, {"dscale"}, {"dbias"}, {"dz", Presence::kOptional}}},
    .infer = InferBatchNormGrad,
    .prepare = PrepareBatchNormGrad,
    .grad = kSecondOrder,
    .quant = {.keep_float = "gradients are float"},
    .channels = kOfTraining,
    .cost = PerElement<16>,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
