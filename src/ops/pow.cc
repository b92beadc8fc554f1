// Pow: y = a^b, of a's type. The exponents that models really have (½, 2 …) need no power function.
#include "ops/binary.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/nest.h"
#include "ops/unary.h"

namespace pare::ops {
namespace {

using kernels::BinaryFunction;
using kernels::UnaryFunction;

struct ConvertState {
  DType from, to;
  int64_t count;
  int temp;
};

void RunConvert(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ConvertState*>(args.state);
  ConvertElements(state.from, args.inputs[1], state.to, args.temps[state.temp], state.count);
}

// The exponents in the type of the base; few as a rule.
Source ConvertedExponent(PrepareContext& context, DType to) {
  const int64_t count = Count(context.shape(1));
  const int temp = context.Temp(static_cast<size_t>(count) * SizeOf(to));
  context.AddStep({.run = RunConvert,
                   .state = context.State(ConvertState{context.dtype(1), to, count, temp}),
                   .kernel = "convert"});
  return {Source::Kind::kTemp, temp, context.shape(1)};
}

Status PreparePow(PrepareContext& context) {
  const DType dtype = context.dtype(0);
  const Tensor* exponent = context.constant(1);
  const bool whole = context.output_shape() == context.shape(0);
  if (IsFloat(dtype) && exponent && exponent->count() == 1 && whole) {
    PARE_ASSIGN(const Tensor number, Cast(*exponent, DType::kF64));
    const double power = number.as<double>()[0];
    if (power == 0.5) return AddUnaryStep(context, UnaryFunction::kSqrt, 0, 0);
    if (power == -1) return AddUnaryStep(context, UnaryFunction::kReciprocal, 0, 0);
    if (power == 2) {
      context.AllowInPlace(0);
      const Source x{Source::Kind::kInput, 0, context.shape(0)};
      return AddBinaryStep(context, BinaryFunction::kMul, dtype, x, x);
    }
  }
  if (context.dtype(1) == dtype) return AddBinaryStep(context, BinaryFunction::kPow);
  if (!IsFloat(dtype) && IsFloat(context.dtype(1))) {
    return Unsupported("integers to the power of fractions");
  }
  return AddBinaryStep(context, BinaryFunction::kPow, dtype,
                       {Source::Kind::kInput, 0, context.shape(0)},
                       ConvertedExponent(context, dtype));
}

Status InferPow(InferContext& context) { return InferBroadcast(context); }

// da = dy · b · a^(b − 1), which is 0 where b is;  db = dy · y · ln a, which is 0 where a has no
// logarithm
Status GradPow(GradContext& g) {
  const Var a = g.in(0), dy = g.dy();
  const Var b = g.input(1).dtype == g.input(0).dtype ? g.in(1) : ToF32(g.in(1));
  const Var zero = g.emit().Scalar(0);
  if (g.wants(0)) {
    const Var slope = b * g.emit().Add("Pow", {a, b - 1.0f});
    g.gives(0, dy * Where(Equal(b, zero), zero, slope));
  }
  if (g.wants(1)) {
    g.gives(1, Where(Less(zero, a), dy * g.out() * Log(a), zero));
  }
  return {};
}

}  // namespace

extern constinit const OpDef kPow{
    .name = "Pow",
    .inputs = {{{"a"}, {"b"}}},
    .outputs = {{{"y"}}},
    .infer = InferPow,
    .prepare = PreparePow,
    .grad = {.emit = GradPow},
    .quant = {.inputs = {{{Role::kActivation}}}, .keep_float = "powers need more than 8 bits"},
    .channels = kElementwise,
    .cost = PerElement<8>,
    .accuracy = Accuracy::kApproximate,
    .mixed_types = true};

}  // namespace pare::ops
