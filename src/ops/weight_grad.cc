#include "ops/weight_grad.h"

#include "kernels/convgrad/convgrad.h"

namespace pare::ops {
namespace {

struct State {
  kernels::ConvShape shape;
  const kernels::ConvGradKernel* kernel;
  int x, dy;
  int partials;  // the temp; −1: none

  kernels::ConvGradArgs args(const StepArgs& step) const {
    return {.shape = shape,
            .x = step.in<float>(x),
            .dy = step.in<float>(dy),
            .dw = step.out<float>(0),
            .partials = partials < 0 ? nullptr : static_cast<float*>(step.temps[partials])};
  }
};

void Run(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const State*>(step.state);
  state.kernel->run(state.args(step), step.begin, step.end, step.scratch);
}

void Sum(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const State*>(step.state);
  state.kernel->sum(state.args(step), step.begin, step.end);
}

}  // namespace

void AddWeightGradSteps(PrepareContext& context, const kernels::ConvShape& shape, int x, int dy) {
  const auto& row = *kernels::FindConvGrad(context.cpu(), shape);
  const auto partial_bytes = static_cast<size_t>(row->partial_bytes(shape));
  const int partials = partial_bytes > 0 ? context.Temp(partial_bytes) : -1;
  const State* state = context.State(State{shape, row.functions, x, dy, partials});
  context.AddStep({.run = Run,
                   .state = state,
                   .tasks = row->tasks(shape),
                   .scratch_bytes = static_cast<size_t>(row->scratch_bytes(shape)),
                   .kernel = row.name});
  if (row->sum_tasks(shape) == 0) return;
  context.AddStep(
      {.run = Sum, .state = state, .tasks = row->sum_tasks(shape), .kernel = "convgrad_f32_sum"});
}

}  // namespace pare::ops
