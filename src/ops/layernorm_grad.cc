// pare.LayerNormGrad: the gradient of LayerNormalization from the statistics that it saved.
#include "kernels/layernormgrad/layernormgrad.h"
#include "ops/channels.h"
#include "ops/norm.h"

namespace pare::ops {
namespace {

using kernels::LayerNormGradArgs;
using kernels::LayerNormGradKernel;

enum Input { kX, kScale, kMean, kInverseStd, kDy };
enum Output { kDx, kDscale, kDbias };

Status InferLayerNormGrad(InferContext& context) {
  context.set_output(kDx, context.input(kX));
  context.set_output(kDscale, context.input(kScale));
  context.set_output(kDbias, context.input(kScale));
  return {};
}

struct State {
  LayerNormGradArgs args{};
  const LayerNormGradKernel* kernel = nullptr;
  int partial = -1;
};

template <auto kFunction>
void Run(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const State*>(step.state);
  LayerNormGradArgs args = state.args;
  args.x = step.in<float>(kX);
  args.dy = step.in<float>(kDy);
  args.scale = step.in<float>(kScale);
  args.mean = step.in<float>(kMean);
  args.inverse_std = step.in<float>(kInverseStd);
  args.partial = static_cast<float*>(step.temps[state.partial]);
  args.dx = step.out<float>(kDx);
  args.dscale = step.out<float>(kDscale);
  args.dbias = step.out<float>(kDbias);
  (state.kernel->*kFunction)(args, step.begin, step.end);
}

Status PrepareLayerNormGrad(PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  const int64_t rows = Count(context.shape(kMean)), n = Count(context.shape(kScale));
  if (context.shape(kDy) != context.shape(kX) || Count(context.shape(kInverseStd)) != rows ||
      Count(context.shape(kX)) != rows * n) {
    return Invalid(Text("its inputs contradict each other: x is ", DimsText(context.shape(kX)),
                        ", scale ", DimsText(context.shape(kScale)), ", mean ",
                        DimsText(context.shape(kMean))));
  }
  if (n == 0) return {};
  const kernels::LayerNormGradShape shape{rows, n};
  const auto* row = kernels::FindLayerNormGrad(context.cpu());
  const LayerNormGradKernel& kernel = *row->functions;
  const size_t bytes = static_cast<size_t>(2 * kernel.parts(shape) * n) * sizeof(float);
  const auto* state = context.State(
      State{.args = {.shape = shape}, .kernel = &kernel, .partial = context.Temp(bytes)});
  context.AllowInPlace(kX);
  context.AllowInPlace(kDy);
  AddStepIfAny(context,
               {Run<&LayerNormGradKernel::rows>, state, kernel.parts(shape), 0, row->name});
  context.AddStep(
      {Run<&LayerNormGradKernel::totals>, state, kernel.total_tasks(shape), 0, row->name});
  return {};
}

}  // namespace

extern constinit const OpDef kLayerNormGrad{
    .name = "pare.LayerNormGrad",
    .inputs = {{{"x"}, {"scale"}, {"mean"}, {"inverse_std"}, {"dy"}}},
    .outputs = {{{"dx"}, {"dscale"}, {"dbias"}}},
    .infer = InferLayerNormGrad,
    .prepare = PrepareLayerNormGrad,
    .grad = kSecondOrder,
    .quant = {.keep_float = "gradients are float"},
    .channels = kOfTraining,
    .cost = PerElement<16>,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
