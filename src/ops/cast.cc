// Cast and CastLike: another element type.
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/nest.h"

namespace pare::ops {
namespace {

struct CastState {
  DType from, to;
  int64_t count;
};

void RunCast(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const CastState*>(args.state);
  const int64_t begin = args.begin * kTaskElements;
  const int64_t end = std::min(args.end * kTaskElements, state.count);
  ConvertElements(state.from,
                  args.in<std::byte>(0) + begin * static_cast<int64_t>(SizeOf(state.from)),
                  state.to, args.out<std::byte>(0) + begin * static_cast<int64_t>(SizeOf(state.to)),
                  end - begin);
}

Status PrepareCast(PrepareContext& context) {
  const DType from = context.dtype(0), to = context.output_dtype();
  if (from == to) {
    context.Alias(0);
    return {};
  }
  const int64_t count = Count(context.shape(0));
  AddStepIfAny(context, {.run = RunCast,
                         .state = context.State(CastState{from, to, count}),
                         .tasks = ElementTasks(count),
                         .kernel = "cast"});
  return {};
}

Status InferTo(InferContext& context, DType to) {
  graph::TensorType type = context.input(0);
  const bool integers = !IsFloat(type.dtype) && !IsFloat(to) && to != DType::kBool;
  type.dtype = to;
  context.set_output(0, std::move(type));
  if (integers) {
    if (const graph::Shape* dims = context.dims_value(0)) context.set_dims_value(0, *dims);
  }
  return {};
}

Status InferCast(InferContext& context) {
  const int64_t onnx = context.attrs().i("to", 0);
  const DType to = onnx > 0 && onnx < 100 ? DTypeFromOnnx(static_cast<int>(onnx)) : DType::kNone;
  if (to == DType::kNone) return Unsupported(Text("a cast to the ONNX type ", onnx));
  return InferTo(context, to);
}

Status InferCastLike(InferContext& context) { return InferTo(context, context.dtype(1)); }

constexpr QuantRule kQuant{.inputs = {{{Role::kActivation}}},
                           .keep_float = "it changes the element type itself"};

// Between floats; integers have no gradient that could arrive here.
Status GradCast(GradContext& g) {
  g.gives(0, g.emit().Add("Cast", {g.dy()},
                          {{"to", static_cast<int64_t>(DTypeToOnnx(g.input(0).dtype))}}));
  return {};
}

// The second operand lends its type alone.
void TieFirst(ChannelContext& c) {
  for (int i = 0; i < c.rank(0); ++i) c.Tie(In(0, i), Out(i));
  for (int i = 0; i < c.rank(1); ++i) c.Free(In(1, i));
}

}  // namespace

extern constinit const OpDef kCast{.name = "Cast",
                                   .inputs = {{{"x"}}},
                                   .outputs = {{{"y"}}},
                                   .infer = InferCast,
                                   .prepare = PrepareCast,
                                   .grad = {.emit = GradCast},
                                   .quant = kQuant,
                                   .channels = kElementwise,
                                   .cost = PerElement<1>};

extern constinit const OpDef kCastLike{.name = "CastLike",
                                       .inputs = {{{"x"}, {"like"}}},
                                       .outputs = {{{"y"}}},
                                       .infer = InferCastLike,
                                       .prepare = PrepareCast,
                                       .grad = {.emit = GradCast},
                                       .quant = kQuant,
                                       .channels = {.tie = TieFirst},
                                       .cost = PerElement<1>,
                                       .mixed_types = true};

}  // namespace pare::ops
