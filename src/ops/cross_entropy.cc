// pare.SoftmaxCrossEntropy, the loss of logits against distributions, with its gradient; and the
// gradient of Softmax.
#include "kernels/crossentropy/crossentropy.h"
#include "ops/channels.h"
#include "ops/grad.h"
#include "ops/norm.h"
#include "ops/optional_output.h"

namespace pare::ops {
namespace {

using kernels::CrossEntropyKernel;
using kernels::CrossEntropyShape;

// Rows of the last axis. A shape without elements has no row.
CrossEntropyShape RowsOf(const Dims& shape) {
  const int64_t n = shape.empty() ? 1 : shape.back();
  return {.rows = n ? Count(shape) / n : 0, .n = n};
}

template <typename Args>
struct State {
  Args args{};
  const CrossEntropyKernel* kernel = nullptr;
  OptionalOutput log_sum{};
};

template <typename Args>
void AddRowsStep(PrepareContext& context, void (*run)(const StepArgs&) noexcept,
                 OptionalOutput log_sum = {}) {
  const CrossEntropyShape shape = RowsOf(context.shape(0));
  const auto* row = kernels::FindCrossEntropy(context.cpu());
  const auto* state = context.State(
      State<Args>{.args = {.shape = shape}, .kernel = row->functions, .log_sum = log_sum});
  AddStepIfAny(context, {run, state, row->functions->tasks(shape), 0, row->name});
}

Status CheckLikeFirst(const PrepareContext& context) {
  if (context.shape(0) == context.shape(1)) return {};
  return Invalid(Text("its inputs have the shapes ", DimsText(context.shape(0)), " and ",
                      DimsText(context.shape(1))));
}

// --- the loss

Status InferCrossEntropy(InferContext& context) {
  const graph::Shape* logits = context.shape(0);
  if (logits && logits->size() != 2) return Invalid("its logits are no rows");
  const graph::Dim rows = logits ? (*logits)[0] : graph::Dim();
  for (int i : {0, 1}) context.set_output(i, context.dtype(0), {rows});
  return {};
}

using kernels::CrossEntropyArgs;

void RunLoss(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const State<CrossEntropyArgs>*>(step.state);
  CrossEntropyArgs args = state.args;
  args.logits = step.in<float>(0);
  args.target = step.in<float>(1);
  args.loss = step.out<float>(0);
  args.log_sum = state.log_sum.out<float>(step);
  state.kernel->loss(args, step.begin, step.end);
}

Status PrepareCrossEntropy(PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  PARE_TRY(CheckLikeFirst(context));
  if (context.shape(0)[1] == 0) return Unsupported("a row of nothing has no softmax");
  const size_t bytes = static_cast<size_t>(context.shape(0)[0]) * sizeof(float);
  AddRowsStep<CrossEntropyArgs>(context, RunLoss, OptionalOutput::OrTemp(context, 1, bytes));
  return {};
}

// By the target, too: the loss is linear in it, with −ln softmax.
Status GradCrossEntropy(GradContext& g) {
  if (g.outputs() > 1 && g.has_dy(1)) return Unsupported("the loss depends on its log_sum");
  const Var logits = g.in(0), dloss = g.dy();
  if (g.wants(0)) {
    g.gives(0, g.emit().Add("pare.SoftmaxCrossEntropyGrad", {logits, g.in(1), g.saved(1), dloss}));
  }
  if (g.wants(1)) g.gives(1, -LogSoftmax(logits, 1) * Reshape(dloss, {dloss.dims()[0], 1}));
  return {};
}

// --- its gradient

using kernels::CrossEntropyGradArgs;

void RunLossGrad(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const State<CrossEntropyGradArgs>*>(step.state);
  CrossEntropyGradArgs args = state.args;
  args.logits = step.in<float>(0);
  args.target = step.in<float>(1);
  args.log_sum = step.in<float>(2);
  args.dloss = step.in<float>(3);
  args.dlogits = step.out<float>(0);
  state.kernel->grad(args, step.begin, step.end);
}

Status PrepareCrossEntropyGrad(PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  PARE_TRY(CheckLikeFirst(context));
  for (int i : {2, 3}) {
    if (Count(context.shape(i)) != RowsOf(context.shape(0)).rows)
      return Invalid(Text("an input of shape ", DimsText(context.shape(i)), " is not one a row"));
  }
  for (int i : {0, 1}) context.AllowInPlace(i);
  AddRowsStep<CrossEntropyGradArgs>(context, RunLossGrad);
  return {};
}

// --- the gradient of Softmax

using kernels::SoftmaxGradArgs;

void RunSoftmaxGrad(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const State<SoftmaxGradArgs>*>(step.state);
  SoftmaxGradArgs args = state.args;
  args.y = step.in<float>(0);
  args.dy = step.in<float>(1);
  args.dx = step.out<float>(0);
  state.kernel->softmax_grad(args, step.begin, step.end);
}

Status PrepareSoftmaxGrad(PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  PARE_TRY(CheckLikeFirst(context));
  for (int i : {0, 1}) context.AllowInPlace(i);
  AddRowsStep<SoftmaxGradArgs>(context, RunSoftmaxGrad);
  return {};
}

constexpr QuantRule kFloat{.keep_float = "gradients are float"};

}  // namespace

extern constinit const OpDef kSoftmaxCrossEntropy{
    .name = "pare.SoftmaxCrossEntropy",
    .inputs = {{{"logits"}, {"target"}}},
    .outputs = {{{"loss"}, {"log_sum", Presence::kOptional}}},
    .infer = InferCrossEntropy,
    .prepare = PrepareCrossEntropy,
    .grad = {.emit = GradCrossEntropy},
    .quant = {.keep_float = "it is of training"},
    .channels = kOfTraining,
    .cost = PerElement<8>,
    .accuracy = Accuracy::kApproximate};

extern constinit const OpDef kSoftmaxCrossEntropyGrad{
    .name = "pare.SoftmaxCrossEntropyGrad",
    .inputs = {{{"logits"}, {"target"}, {"log_sum"}, {"dloss"}}},
    .outputs = {{{"dlogits"}}},
    .infer = InferSameType,
    .prepare = PrepareCrossEntropyGrad,
    .grad = kSecondOrder,
    .quant = kFloat,
    .channels = kOfTraining,
    .cost = PerElement<8>,
    .accuracy = Accuracy::kApproximate};

// Along the last axis.
extern constinit const OpDef kSoftmaxGrad{.name = "pare.SoftmaxGrad",
                                          .inputs = {{{"y"}, {"dy"}}},
                                          .outputs = {{{"dx"}}},
                                          .infer = InferSameType,
                                          .prepare = PrepareSoftmaxGrad,
                                          .grad = kSecondOrder,
                                          .quant = kFloat,
                                          .channels = kOfTraining,
                                          .cost = PerElement<4>,
                                          .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
