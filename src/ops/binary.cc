// Operators of two operands that broadcast: binary.inc is the list. Here: what they share, and
// those whose attributes choose the function (Mod, BitShift).
#include "ops/binary.h"

#include "ops/activation_attr.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/dim_arithmetic.h"
#include "ops/grad.h"
#include "ops/nest.h"
#include "ops/op_name.h"

namespace pare::ops {
namespace {

using kernels::BinaryFunction;

struct Operand {
  Source::Kind kind;
  int index;
};

struct BinaryState {
  kernels::BinaryRun run;
  RowTasks tasks;
  kernels::Activation activation;
  Operand a, b;
  uint64_t constant;
  int64_t in_bytes, out_bytes;  // of an element

  const std::byte* At(const StepArgs& args, Operand operand) const {
    switch (operand.kind) {
      case Source::Kind::kInput:
        return args.in<std::byte>(operand.index);
      case Source::Kind::kOutput:
        return args.out<std::byte>(0);
      case Source::Kind::kTemp:
        return static_cast<const std::byte*>(args.temps[operand.index]);
      case Source::Kind::kConstant:
        break;
    }
    return reinterpret_cast<const std::byte*>(&constant);
  }
};

void RunBinaryStep(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const BinaryState*>(args.state);
  const RowTasks& tasks = state.tasks;
  const std::byte* a = state.At(args, state.a);
  const std::byte* b = state.At(args, state.b);
  kernels::BinaryArgs run{.a_row = tasks.row_step(0),
                          .b_row = tasks.row_step(1),
                          .a_step = static_cast<int>(tasks.step(0)),
                          .b_step = static_cast<int>(tasks.step(1)),
                          .activation = state.activation};
  tasks.ForEach(args.begin, args.end, [&](const RowTasks::Piece& piece) {
    run.a = a + piece.offset[0] * state.in_bytes;
    run.b = b + piece.offset[1] * state.in_bytes;
    run.y = args.out<std::byte>(0) + piece.out * state.out_bytes;
    run.rows = piece.rows;
    run.columns = piece.columns;
    state.run(run);
  });
}

}  // namespace

Status AddBinaryStep(PrepareContext& context, BinaryFunction function, DType dtype, Source a,
                     Source b, const kernels::Activation& activation, uint64_t constant) {
  const auto choice = kernels::FindBinary(context.cpu(), function, dtype);
  if (!choice.run) return Unsupported(Text("it has no meaning for ", DTypeName(dtype)));
  if (dtype != DType::kF32 && activation.kind != kernels::Activation::Kind::kNone) {
    return Unsupported(Text("a fused activation in ", DTypeName(dtype)));
  }
  const auto* state =
      context.State(BinaryState{choice.run,
                                RowTasks(BroadcastNest(context.output_shape(), {a.shape, b.shape})),
                                activation,
                                {a.kind, a.index},
                                {b.kind, b.index},
                                constant,
                                static_cast<int64_t>(SizeOf(dtype)),
                                static_cast<int64_t>(SizeOf(context.output_dtype()))});
  AddStepIfAny(
      context,
      {.run = RunBinaryStep, .state = state, .tasks = state->tasks.tasks(), .kernel = choice.name});
  return {};
}

Status AddBinaryStep(PrepareContext& context, BinaryFunction function,
                     const kernels::Activation& activation) {
  const DType dtype = context.dtype(0);
  if (context.dtype(1) != dtype) {
    return Invalid(Text("its operands are ", DTypeName(dtype), " and ", DTypeName(context.dtype(1)),
                        ", which must be the same"));
  }
  for (int i : {0, 1}) {
    const bool fits = SizeOf(context.output_dtype()) == SizeOf(dtype);
    if (fits && context.shape(i) == context.output_shape()) context.AllowInPlace(i);
  }
  return AddBinaryStep(context, function, dtype, {Source::Kind::kInput, 0, context.shape(0)},
                       {Source::Kind::kInput, 1, context.shape(1)}, activation);
}

Status InferBroadcast(InferContext& context, DType dtype) {
  if (dtype == DType::kNone) dtype = context.dtype(0);
  graph::Shape shape;
  for (int i = 0; i < context.inputs(); ++i) {
    const graph::Shape* operand = context.shape(i);
    if (!operand) {
      context.set_output(0, dtype);
      return {};
    }
    PARE_ASSIGN(shape, BroadcastShapes(shape, *operand));
  }
  context.set_output(0, dtype, shape);
  return {};
}

namespace {

template <BinaryFunction kFunction>
Status InferBinary(InferContext& context) {
  PARE_TRY(InferBroadcast(context, kernels::ReturnsBool(kFunction) ? DType::kBool : DType::kNone));
  InferDimArithmetic(context, kFunction);
  return {};
}

template <BinaryFunction kFunction>
Status PrepareBinary(PrepareContext& context) {
  PARE_ASSIGN(const auto activation, ReadActivation(context.attrs()));
  return AddBinaryStep(context, kFunction, activation);
}

Status PrepareMod(PrepareContext& context) {
  const bool as_c = context.attrs().i("fmod", 0) != 0;
  return AddBinaryStep(context, as_c ? BinaryFunction::kFmod : BinaryFunction::kMod);
}

Status PrepareBitShift(PrepareContext& context) {
  const std::string direction = context.attrs().s("direction");
  if (direction != "LEFT" && direction != "RIGHT") {
    return Invalid(Text("direction is \"", direction, "\""));
  }
  return AddBinaryStep(context, direction == "LEFT" ? BinaryFunction::kBitShiftLeft
                                                    : BinaryFunction::kBitShiftRight);
}

// ~x = x ^ 1…1
Status PrepareBitwiseNot(PrepareContext& context) {
  context.AllowInPlace(0);
  return AddBinaryStep(context, BinaryFunction::kBitwiseXor, context.dtype(0),
                       {Source::Kind::kInput, 0, context.shape(0)},
                       {Source::Kind::kConstant, 0, {}}, {}, ~uint64_t{0});
}

// dx of an operand that was broadcast is summed by `gives`.
Status GradSum(GradContext& g) {
  g.gives(0, g.dy());
  g.gives(1, g.dy());
  return {};
}
Status GradDifference(GradContext& g) {
  g.gives(0, g.dy());
  if (g.wants(1)) g.gives(1, -g.dy());
  return {};
}
Status GradProduct(GradContext& g) {
  if (g.wants(0)) g.gives(0, g.dy() * g.in(1));
  if (g.wants(1)) g.gives(1, g.dy() * g.in(0));
  return {};
}
Status GradQuotient(GradContext& g) {
  const Var first = g.dy() / g.in(1);
  g.gives(0, first);
  if (g.wants(1)) g.gives(1, -first * g.out());
  return {};
}
// y = x < 0 ? slope · x : x
Status GradPRelu(GradContext& g) {
  const Var zero = g.emit().Scalar(0), negative = Less(g.in(0), zero);
  if (g.wants(0)) g.gives(0, Where(negative, g.dy() * g.in(1), g.dy()));
  if (g.wants(1)) g.gives(1, Where(negative, g.dy() * g.in(0), zero));
  return {};
}

constexpr GradRule kGradSum{.emit = GradSum, .late_parameters = Inputs({0, 1})};
constexpr GradRule kGradDifference{.emit = GradDifference, .late_parameters = Inputs({0, 1})};
constexpr GradRule kGradProduct{.emit = GradProduct, .late_parameters = Inputs({0, 1})};
constexpr GradRule kGradQuotient{.emit = GradQuotient, .late_parameters = Inputs({0, 1})};
constexpr GradRule kGradPRelu{.emit = GradPRelu, .parameters = Inputs({1})};

constexpr QuantRule kTruth{.keep_float = "it gives truth values, not numbers"};
constexpr QuantRule kBits{.keep_float = "it computes with bits, not numbers"};
constexpr QuantRule kGradient{.keep_float = "gradients are float"};
constexpr QuantRule kNoIntegerForm{.inputs = {{{Role::kActivation}, {Role::kActivation}}},
                                   .keep_float = "pare has no integer form of it"};

}  // namespace

#define PARE_RECORD(op, infer_function, prepare_function, quant_rule, grad_rule) \
  namespace {                                                                    \
  constexpr OpName k##op##Name(#op);                                             \
  }                                                                              \
  extern constinit const OpDef k##op{.name = k##op##Name.view(),                 \
                                     .inputs = {{{"a"}, {"b"}}},                 \
                                     .outputs = {{{"y"}}},                       \
                                     .infer = infer_function,                    \
                                     .prepare = prepare_function,                \
                                     .grad = grad_rule,                          \
                                     .quant = quant_rule,                        \
                                     .channels = kElementwise,                   \
                                     .cost = PerElement<1>,                      \
                                     .accuracy = Accuracy::kRounding};
#define PARE_BINARY(op, function, quant_rule, grad_rule)    \
  PARE_RECORD(op, InferBinary<BinaryFunction::k##function>, \
              PrepareBinary<BinaryFunction::k##function>, quant_rule, grad_rule)
#include "ops/binary.inc"
#undef PARE_BINARY
PARE_RECORD(Mod, InferBinary<BinaryFunction::kMod>, PrepareMod, kNoIntegerForm, kNoSlope)
PARE_RECORD(BitShift, InferBinary<BinaryFunction::kBitShiftLeft>, PrepareBitShift, kBits, kNoSlope)
#undef PARE_RECORD

extern constinit const OpDef kBitwiseNot{.name = "BitwiseNot",
                                         .inputs = {{{"x"}}},
                                         .outputs = {{{"y"}}},
                                         .infer = InferSameType,
                                         .prepare = PrepareBitwiseNot,
                                         .grad = kNoSlope,
                                         .quant = kBits,
                                         .channels = kElementwise,
                                         .cost = PerElement<1>};

}  // namespace pare::ops
