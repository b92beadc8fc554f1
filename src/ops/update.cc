// pare.Sgd and pare.AdamW: an optimizer's step over one parameter. Rates are inputs, so that a
// schedule moves them without another plan; what is new may be written where the old is.
#include "kernels/update/update.h"

#include <algorithm>
#include <cmath>

#include "ops/channels.h"
#include "ops/norm.h"
#include "ops/optional_input.h"

namespace pare::ops {
namespace {

using kernels::AdamWArgs;
using kernels::SgdArgs;
using kernels::UpdateKernel;

// Inputs of the shape of the first one, and inputs of one number.
Status Check(const PrepareContext& context, std::initializer_list<int> arrays,
             std::initializer_list<int> numbers) {
  PARE_TRY(RequireF32(context));
  const auto wrong = [&](int i, std::string_view what) {
    return Invalid(
        Text("input ", i, " has the shape ", DimsText(context.shape(i)), ", not ", what));
  };
  for (int i : arrays) {
    if (context.has_input(i) && context.shape(i) != context.shape(0))
      return wrong(i, "that of the parameter");
  }
  for (int i : numbers) {
    if (Count(context.shape(i)) != 1) return wrong(i, "of one number");
  }
  return {};
}

template <typename State>
void AddUpdateStep(PrepareContext& context, void (*run)(const StepArgs&) noexcept, State made) {
  const auto* row = kernels::FindUpdate(context.cpu());
  made.kernel = row->functions;
  made.args.count = Count(context.shape(0));
  const int64_t tasks = made.kernel->tasks(made.args.count);
  AddStepIfAny(context, {run, context.State(made), tasks, 0, row->name});
}

// A scale that is not finite tells that the loss or a gradient is not: the step is not made, so
// that it can be looked at again. The first task hands on what is not in place.
struct Kept {
  const float* old;
  float* now;
};
bool IsSkipped(const StepArgs& step, float scale, int64_t count,
               std::initializer_list<Kept> arrays) noexcept {
  if (std::isfinite(scale)) return false;
  if (step.begin > 0) return true;
  for (const Kept& array : arrays) {
    if (array.now && array.now != array.old) std::copy_n(array.old, count, array.now);
  }
  return true;
}

// --- pare.Sgd

namespace sgd {
enum Input { kP, kG, kBuffer, kRate, kScale };
}

Status InferSgd(InferContext& context) {
  for (int i : {0, 1}) context.set_output(i, context.input(sgd::kP));
  return {};
}

struct SgdState {
  SgdArgs args{};
  const UpdateKernel* kernel = nullptr;
  OptionalInput buffer{};
};

void RunSgd(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const SgdState*>(step.state);
  SgdArgs args = state.args;
  args.rate = *step.in<float>(sgd::kRate);
  args.gradient_scale = *step.in<float>(sgd::kScale);
  args.p = step.in<float>(sgd::kP);
  args.g = step.in<float>(sgd::kG);
  args.buffer = state.buffer.in<float>(step);
  args.new_p = step.out<float>(0);
  if (args.buffer) args.new_buffer = step.out<float>(1);
  if (IsSkipped(step, args.gradient_scale, args.count,
                {{args.p, args.new_p}, {args.buffer, args.new_buffer}}))
    return;
  state.kernel->sgd(args, step.begin, step.end);
}

Status PrepareSgd(PrepareContext& context) {
  PARE_TRY(Check(context, {sgd::kG, sgd::kBuffer}, {sgd::kRate, sgd::kScale}));
  const graph::Attrs& attrs = context.attrs();
  const SgdArgs args{.momentum = attrs.f("momentum", 0),
                     .weight_decay = attrs.f("weight_decay", 0),
                     .nesterov = attrs.i("nesterov", 0) != 0};
  const bool buffer = context.has_input(sgd::kBuffer);
  if ((args.momentum != 0 && !buffer) || buffer != context.has_output(1))
    return Invalid("momentum needs a buffer, which is both an input and an output");
  context.AllowInPlace(sgd::kP, 0);
  context.AllowInPlace(sgd::kBuffer, 1);
  AddUpdateStep(context, RunSgd,
                SgdState{.args = args, .buffer = OptionalInput(context, sgd::kBuffer)});
  return {};
}

// --- pare.AdamW

namespace adamw {
enum Input { kP, kG, kM, kV, kRate, kScale, kStep };
}

Status InferAdamW(InferContext& context) {
  for (int i : {0, 1, 2}) context.set_output(i, context.input(adamw::kP));
  return {};
}

struct AdamWState {
  AdamWArgs args{};
  const UpdateKernel* kernel = nullptr;
  float weight_decay = 0;
};

void RunAdamW(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const AdamWState*>(step.state);
  AdamWArgs args = state.args;
  const double rate = double{*step.in<float>(adamw::kRate)};
  const double steps = double{*step.in<float>(adamw::kStep)};
  args.rate = static_cast<float>(rate / (1 - std::pow(double{args.beta1}, steps)));
  args.root_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(double{args.beta2}, steps)));
  args.keep = static_cast<float>(1 - rate * double{state.weight_decay});
  args.gradient_scale = *step.in<float>(adamw::kScale);
  args.p = step.in<float>(adamw::kP);
  args.g = step.in<float>(adamw::kG);
  args.m = step.in<float>(adamw::kM);
  args.v = step.in<float>(adamw::kV);
  args.new_p = step.out<float>(0);
  args.new_m = step.out<float>(1);
  args.new_v = step.out<float>(2);
  if (IsSkipped(step, args.gradient_scale, args.count,
                {{args.p, args.new_p}, {args.m, args.new_m}, {args.v, args.new_v}}))
    return;
  state.kernel->adamw(args, step.begin, step.end);
}

Status PrepareAdamW(PrepareContext& context) {
  using namespace adamw;
  PARE_TRY(Check(context, {kG, kM, kV}, {kRate, kScale, kStep}));
  const graph::Attrs& attrs = context.attrs();
  context.AllowInPlace(kP, 0);
  context.AllowInPlace(kM, 1);
  context.AllowInPlace(kV, 2);
  AddUpdateStep(context, RunAdamW,
                AdamWState{.args = {.beta1 = attrs.f("beta1", 0.9f),
                                    .beta2 = attrs.f("beta2", 0.999f),
                                    .epsilon = attrs.f("epsilon", 1e-8f)},
                           .weight_decay = attrs.f("weight_decay", 0.01f)});
  return {};
}

constexpr GradRule kNoGradient{.none = "it moves parameters, behind the loss"};
constexpr QuantRule kFloat{.keep_float = "it is of training"};

}  // namespace

// Where gradient_scale is not finite, both leave everything as it was.
//
// Attributes: momentum, weight_decay (coupled), nesterov. The buffer is zeros before the first
// step.
extern constinit const OpDef kSgd{
    .name = "pare.Sgd",
    .inputs = {{{"p"}, {"g"}, {"buffer", Presence::kOptional}, {"rate"}, {"gradient_scale"}}},
    .outputs = {{{"new_p"}, {"new_buffer", Presence::kOptional}}},
    .infer = InferSgd,
    .prepare = PrepareSgd,
    .grad = kNoGradient,
    .quant = kFloat,
    .channels = kOfTraining,
    .cost = PerElement<6>,
    .accuracy = Accuracy::kRounding};

// Attributes: beta1, beta2, epsilon, weight_decay (decoupled). `step` is 1 for the first one; m and
// v are zeros before it.
extern constinit const OpDef kAdamW{
    .name = "pare.AdamW",
    .inputs = {{{"p"}, {"g"}, {"m"}, {"v"}, {"rate"}, {"gradient_scale"}, {"step"}}},
    .outputs = {{{"new_p"}, {"new_m"}, {"new_v"}}},
    .infer = InferAdamW,
    .prepare = PrepareAdamW,
    .grad = kNoGradient,
    .quant = kFloat,
    .channels = kOfTraining,
    .cost = PerElement<12>,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
