// Operators that say something of each number: Not, IsNaN, IsInf.
#include <cmath>

#include "kernels/number.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/nest.h"

namespace pare::ops {
namespace {

constexpr QuantRule kNoNumbers{.keep_float = "it gives truth values, not numbers"};

Status InferPredicate(InferContext& context) {
  graph::TensorType type = context.input(0);
  type.dtype = DType::kBool;
  context.set_output(0, std::move(type));
  return {};
}

struct PredicateState {
  int64_t count;
  bool negative, positive;  // which infinities IsInf looks for
};

template <typename T, typename F>
void ForElements(const StepArgs& args, F f) noexcept {
  const int64_t count = static_cast<const PredicateState*>(args.state)->count;
  const T* x = args.in<T>(0);
  bool* y = args.out<bool>(0);
  const int64_t end = std::min(args.end * kTaskElements, count);
  for (int64_t i = args.begin * kTaskElements; i < end; ++i) y[i] = f(kernels::ToNumber(x[i]));
}

void RunNot(const StepArgs& args) noexcept {
  ForElements<bool>(args, [](bool x) { return !x; });
}
template <typename T>
void RunIsNaN(const StepArgs& args) noexcept {
  ForElements<T>(args, [](auto x) { return std::isnan(x); });
}
template <typename T>
void RunIsInf(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const PredicateState*>(args.state);
  ForElements<T>(
      args, [&](auto x) { return std::isinf(x) && (x < 0 ? state.negative : state.positive); });
}

Status AddPredicate(PrepareContext& context, void (*run)(const StepArgs&) noexcept,
                    std::string_view name) {
  if (!run) return Unsupported(Text("it has no meaning for ", DTypeName(context.dtype(0))));
  const int64_t count = Count(context.shape(0));
  auto* state = context.State(PredicateState{count, context.attrs().i("detect_negative", 1) != 0,
                                             context.attrs().i("detect_positive", 1) != 0});
  AddStepIfAny(context, {.run = run, .state = state, .tasks = ElementTasks(count), .kernel = name});
  return {};
}

Status PrepareNot(PrepareContext& context) {
  return AddPredicate(context, context.dtype(0) == DType::kBool ? RunNot : nullptr, "not");
}

Status PrepareIsNaN(PrepareContext& context) {
  void (*run)(const StepArgs&) noexcept = nullptr;
  VisitDType(context.dtype(0), [&]<typename T>(T) {
    if constexpr (!std::is_integral_v<T>) run = RunIsNaN<T>;
  });
  return AddPredicate(context, run, "isnan");
}

Status PrepareIsInf(PrepareContext& context) {
  void (*run)(const StepArgs&) noexcept = nullptr;
  VisitDType(context.dtype(0), [&]<typename T>(T) {
    if constexpr (!std::is_integral_v<T>) run = RunIsInf<T>;
  });
  return AddPredicate(context, run, "isinf");
}

}  // namespace

#define PARE_PREDICATE(op)                                     \
  extern constinit const OpDef k##op{.name = #op,              \
                                     .inputs = {{{"x"}}},      \
                                     .outputs = {{{"y"}}},     \
                                     .infer = InferPredicate,  \
                                     .prepare = Prepare##op,   \
                                     .grad = kNoSlope,         \
                                     .quant = kNoNumbers,      \
                                     .channels = kElementwise, \
                                     .cost = PerElement<1>};
PARE_PREDICATE(Not)
PARE_PREDICATE(IsNaN)
PARE_PREDICATE(IsInf)
#undef PARE_PREDICATE

}  // namespace pare::ops
