// Sum, Mean, Min, Max of any number of operands, one after the other.
#include <cstring>

#include "ops/binary.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/dim_arithmetic.h"
#include "ops/grad.h"

namespace pare::ops {
namespace {

using kernels::BinaryFunction;

// An element of any type as the bytes that AddBinaryStep takes.
uint64_t ElementBytes(DType dtype, float value) {
  uint64_t bytes = 0;
  ConvertElements(DType::kF32, &value, dtype, &bytes, 1);
  return bytes;
}

Status PrepareVariadic(PrepareContext& context, BinaryFunction function, bool divide) {
  const int count = context.inputs();
  const DType dtype = context.dtype(0);
  for (int i = 1; i < count; ++i) {
    if (context.dtype(i) != dtype) return Invalid("its operands have different element types");
  }
  if (count == 1) {
    context.Alias(0);
    return {};
  }
  if (count == 2 && !divide) return AddBinaryStep(context, function);
  if (context.shape(0) == context.output_shape() && IsAloneInInputs(context)) {
    context.AllowInPlace(0);
  }
  const Dims out = context.output_shape();
  for (int i = 1; i < count; ++i) {
    const Source before = i == 1 ? Source{Source::Kind::kInput, 0, context.shape(0)}
                                 : Source{Source::Kind::kOutput, 0, out};
    PARE_TRY(AddBinaryStep(context, function, dtype, before,
                           {Source::Kind::kInput, i, context.shape(i)}));
  }
  if (!divide) return {};
  return AddBinaryStep(context, BinaryFunction::kDiv, dtype, {Source::Kind::kOutput, 0, out},
                       {Source::Kind::kConstant, 0, {}}, {},
                       ElementBytes(dtype, static_cast<float>(count)));
}

template <BinaryFunction kFunction>
Status InferVariadic(InferContext& context) {
  PARE_TRY(InferBroadcast(context));
  if (context.inputs() == 2) InferDimArithmetic(context, kFunction);
  return {};
}

template <BinaryFunction kFunction, bool kDivide = false>
Status PrepareOf(PrepareContext& context) {
  return PrepareVariadic(context, kFunction, kDivide);
}

constexpr QuantRule kNoIntegerForm{.inputs = {{{Role::kActivation}}},
                                   .keep_float = "pare has no integer form of it"};

Status GradSum(GradContext& g) {
  for (int i = 0; i < g.inputs(); ++i) g.gives(i, g.dy());
  return {};
}
Status GradMean(GradContext& g) {
  const Var share = g.dy() * (1.0f / static_cast<float>(g.inputs()));
  for (int i = 0; i < g.inputs(); ++i) g.gives(i, share);
  return {};
}
// Of equal extremes each gets a share.
Status GradExtreme(GradContext& g) {
  std::vector<Var> is;
  Var count;
  for (int i = 0; i < g.inputs(); ++i) {
    is.push_back(ToF32(Equal(g.in(i), g.out())));
    count = count ? count + is.back() : is.back();
  }
  const Var share = g.dy() / count;
  for (int i = 0; i < g.inputs(); ++i) {
    if (g.wants(i)) g.gives(i, share * is[i]);
  }
  return {};
}

}  // namespace

#define PARE_VARIADIC(op, gradient, function, ...)                                               \
  extern constinit const OpDef k##op{.name = #op,                                                \
                                     .inputs = {{{"x", Presence::kVariadic}}},                   \
                                     .outputs = {{{"y"}}},                                       \
                                     .infer = InferVariadic<BinaryFunction::function>,           \
                                     .prepare = PrepareOf<BinaryFunction::function __VA_ARGS__>, \
                                     .grad = {.emit = gradient},                                 \
                                     .quant = kNoIntegerForm,                                    \
                                     .channels = kElementwise,                                   \
                                     .cost = PerElement<1>,                                      \
                                     .accuracy = Accuracy::kRounding};
PARE_VARIADIC(Max, GradExtreme, kMax)
PARE_VARIADIC(Mean, GradMean, kAdd, , true)
PARE_VARIADIC(Min, GradExtreme, kMin)
PARE_VARIADIC(Sum, GradSum, kAdd)
#undef PARE_VARIADIC

}  // namespace pare::ops
