// Operators of one number: unary.inc is the list. Here: what they share, and Gelu, whose attribute
// chooses the function.
#include "ops/unary.h"

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/nest.h"
#include "ops/op_name.h"

namespace pare::ops {
namespace {

using kernels::UnaryFunction;

struct UnaryState {
  kernels::UnaryRun run;
  int64_t count;
  int64_t element_bytes;
  float a, b;
};

void RunUnaryStep(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const UnaryState*>(args.state);
  const int64_t begin = args.begin * kTaskElements;
  const int64_t end = std::min(args.end * kTaskElements, state.count);
  state.run({args.in<std::byte>(0) + begin * state.element_bytes,
             args.out<std::byte>(0) + begin * state.element_bytes, end - begin, state.a, state.b});
}

struct Parameter {
  std::string_view attribute;
  float otherwise = 0;

  float Read(const graph::Attrs& attrs) const {
    return attribute.empty() ? otherwise : attrs.f(attribute, otherwise);
  }
};

struct UnarySpec {
  UnaryFunction function;
  Parameter a, b;
};

template <const UnarySpec& kSpec>
Status PrepareUnary(PrepareContext& context) {
  const graph::Attrs& attrs = context.attrs();
  return AddUnaryStep(context, kSpec.function, kSpec.a.Read(attrs), kSpec.b.Read(attrs));
}

Status PrepareGelu(PrepareContext& context) {
  const std::string approximate = context.attrs().s("approximate", "none");
  if (approximate != "none" && approximate != "tanh") {
    return Invalid(Text("approximate is \"", approximate, "\""));
  }
  return AddUnaryStep(
      context, approximate == "tanh" ? UnaryFunction::kGeluTanh : UnaryFunction::kGelu, 0, 0);
}

}  // namespace

Status AddUnaryStep(PrepareContext& context, UnaryFunction function, float a, float b) {
  const DType dtype = context.dtype(0);
  const auto choice = kernels::FindUnary(context.cpu(), function, dtype);
  if (!choice.run) return Unsupported(Text("it has no meaning for ", DTypeName(dtype)));
  const int64_t count = Count(context.shape(0));
  auto* state =
      context.State(UnaryState{choice.run, count, static_cast<int64_t>(SizeOf(dtype)), a, b});
  context.AllowInPlace(0);
  AddStepIfAny(
      context,
      {.run = RunUnaryStep, .state = state, .tasks = ElementTasks(count), .kernel = choice.name});
  return {};
}

namespace {

// The words of the gradients in unary.inc. Where a function has a kink, the derivative there is
// that of one side.
Var Nothing() { return {}; }  // the slope is 0 wherever there is one
Var Zero(Var like) { return like.emitter().Scalar(0); }
Var Square(Var x) { return x * x; }
Var Fused(std::string_view op, Var of, Var dy) {
  return dy.emitter().Add(std::string(op), {of, dy});
}
Var Inside(Var x, float lo, float hi) {
  Emitter& emit = x.emitter();
  return emit.Add("And", {Less(emit.Scalar(lo), x), Less(x, emit.Scalar(hi))});
}
// d/dx x·σ(ax) = σ + a·y·(1 − σ)
Var SwishSlope(Var x, Var y, float a) {
  const Var sigmoid = Apply("Sigmoid", x * a);
  return sigmoid + y * a * (1.0f - sigmoid);
}

// Files write lengths and deviations as roots of sums of squares: these have the slope 0 where they
// are 0, which an infinite one times 0 would not give.
Var OfRoot(Var y, Var dy) { return Where(Equal(y, Zero(y)), Zero(y), dy * 0.5f / y); }

// x·tanh(s) with s = softplus(x): t + x·(1 − t²)·σ(x)
Var MishSlope(Var x) {
  const Var t = Apply("Tanh", Apply("Softplus", x));
  return t + x * (1.0f - t * t) * Apply("Sigmoid", x);
}

using UnaryGradient = Var (*)(Var x, Var y, Var dy, float a, float b);

template <const UnarySpec& kSpec, UnaryGradient kGradient>
Status GradUnary(GradContext& context) {
  context.gives(0, kGradient(context.in(0), context.out(), context.dy(),
                             kSpec.a.Read(context.attrs()), kSpec.b.Read(context.attrs())));
  return {};
}

Status GradGelu(GradContext& context) {
  const bool tanh = context.attrs().s("approximate", "none") == "tanh";
  context.gives(0,
                Fused(tanh ? "pare.GeluTanhGrad" : "pare.GeluGrad", context.in(0), context.dy()));
  return {};
}

}  // namespace

#define PARE_PARAMETER(attribute, otherwise) {attribute, otherwise}
#define PARE_UNARY(op, function, first, second, flops, exactness, gradient)                  \
  namespace {                                                                                \
  constexpr OpName k##op##Name(#op);                                                         \
  constexpr UnarySpec k##op##Spec{UnaryFunction::k##function, first, second};                \
  Var Gradient##op([[maybe_unused]] Var x, [[maybe_unused]] Var y, [[maybe_unused]] Var dy,  \
                   [[maybe_unused]] float a, [[maybe_unused]] float b) {                     \
    return gradient;                                                                         \
  }                                                                                          \
  }                                                                                          \
  extern constinit const OpDef k##op{.name = k##op##Name.view(),                             \
                                     .inputs = {{{"x"}}},                                    \
                                     .outputs = {{{"y"}}},                                   \
                                     .infer = InferSameType,                                 \
                                     .prepare = PrepareUnary<k##op##Spec>,                   \
                                     .grad = {.emit = GradUnary<k##op##Spec, Gradient##op>}, \
                                     .quant = kIntegerUnary,                                 \
                                     .channels = kElementwise,                               \
                                     .cost = PerElement<flops>,                              \
                                     .accuracy = Accuracy::exactness};
#include "ops/unary.inc"
#undef PARE_UNARY
#undef PARE_PARAMETER

extern constinit const OpDef kGelu{.name = "Gelu",
                                   .inputs = {{{"x"}}},
                                   .outputs = {{{"y"}}},
                                   .infer = InferSameType,
                                   .prepare = PrepareGelu,
                                   .grad = {.emit = GradGelu},
                                   .quant = kIntegerUnary,
                                   .channels = kElementwise,
                                   .cost = PerElement<32>,
                                   .accuracy = Accuracy::kApproximate};

}  // namespace pare::ops
