// Operators of one number: unary.inc is the list. Here: what they share, and Gelu, whose attribute
// chooses the function.
#include "ops/unary.h"

#include "ops/common.h"
#include "ops/nest.h"

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

// "pare_Silu" → "pare.Silu": the names of our own operators are no identifiers.
template <size_t N>
struct OpName {
  constexpr explicit OpName(const char (&text)[N]) {
    for (size_t i = 0; i < N; ++i) chars[i] = text[i] == '_' ? '.' : text[i];
  }
  constexpr std::string_view view() const { return {chars, N - 1}; }
  char chars[N] = {};
};

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

#define PARE_PARAMETER(attribute, otherwise) {attribute, otherwise}
#define PARE_UNARY(op, function, a, b, flops, exactness)                   \
  namespace {                                                              \
  constexpr OpName k##op##Name(#op);                                       \
  constexpr UnarySpec k##op##Spec{UnaryFunction::k##function, a, b};       \
  }                                                                        \
  extern constinit const OpDef k##op{.name = k##op##Name.view(),           \
                                     .inputs = {{{"x"}}},                  \
                                     .outputs = {{{"y"}}},                 \
                                     .infer = InferSameType,               \
                                     .prepare = PrepareUnary<k##op##Spec>, \
                                     .quant = kIntegerUnary,               \
                                     .cost = PerElement<flops>,            \
                                     .accuracy = Accuracy::exactness};
#include "ops/unary.inc"
#undef PARE_UNARY
#undef PARE_PARAMETER

extern constinit const OpDef kGelu{.name = "Gelu",
                                   .inputs = {{{"x"}}},
                                   .outputs = {{{"y"}}},
                                   .infer = InferSameType,
                                   .prepare = PrepareGelu,
                                   .quant = kIntegerUnary,
                                   .cost = PerElement<32>,
                                   .accuracy = Accuracy::kApproximate};

}  // namespace pare::ops
