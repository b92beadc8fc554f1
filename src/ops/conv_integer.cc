// ConvInteger and QLinearConv as ONNX has them, by the plain loop. A pass turns them into
// pare.QConv where they matter.
#include <cmath>

#include "ops/channels.h"
#include "ops/conv.h"
#include "ops/element_each.h"
#include "ops/optional_input.h"

namespace pare::ops {
namespace {

// Inputs of QLinearConv.
enum Linear { kX, kXScale, kXZero, kW, kWScale, kWZero, kYScale, kYZero, kB };

struct IntegerState {
  kernels::ConvNdArgs<uint8_t, uint8_t> args;  // pointers and types are set when it runs
  int w = 1;
  OptionalInput x_zero{}, w_zero{}, bias{};
  bool scale_a_channel = false;
};

template <typename X, typename W>
kernels::ConvNdArgs<X, W> ArgsOf(const IntegerState& state, const StepArgs& step) {
  const auto& from = state.args;
  const X* x_zero = state.x_zero.in<X>(step);
  return {.shape = from.shape,
          .groups = from.groups,
          .w_out = from.w_out,
          .w_in = from.w_in,
          .w_tap = from.w_tap,
          .x = step.in<X>(0),
          .w = step.in<W>(state.w),
          .x_zero = x_zero ? *x_zero : X(0),
          .w_zero = state.w_zero.in<W>(step),
          .w_zero_step = from.w_zero_step};
}

template <typename X, typename W>
void RunInteger(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const IntegerState*>(step.state);
  int32_t* y = step.out<int32_t>(0);
  kernels::ConvNd<int32_t>(ArgsOf<X, W>(state, step), step.begin, step.end,
                           [y](int32_t sum, int64_t, int64_t at) { y[at] = sum; });
}

// x and y have the same type.
template <typename X, typename W>
void RunLinear(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const IntegerState*>(step.state);
  const int32_t* bias = state.bias.in<int32_t>(step);
  const float x_scale = *step.in<float>(kXScale), y_scale = *step.in<float>(kYScale);
  const float* w_scale = step.in<float>(kWScale);
  const X y_zero = *step.in<X>(kYZero);
  constexpr float kLo = std::numeric_limits<X>::lowest(), kHi = std::numeric_limits<X>::max();
  X* y = step.out<X>(0);
  kernels::ConvNd<int32_t>(
      ArgsOf<X, W>(state, step), step.begin, step.end, [&](int32_t sum, int64_t o, int64_t at) {
        if (bias) sum += bias[o];
        const float multiplier = x_scale * w_scale[state.scale_a_channel ? o : 0] / y_scale;
        const float value =
            std::nearbyint(static_cast<float>(sum) * multiplier) + static_cast<float>(y_zero);
        y[at] = static_cast<X>(std::fmin(std::fmax(value, kLo), kHi));
      });
}

template <template <typename, typename> typename Run>
Result<void (*)(const StepArgs&) noexcept> RunOf(DType x, DType w) {
  if (x == DType::kU8 && w == DType::kU8) return Run<uint8_t, uint8_t>::run;
  if (x == DType::kU8 && w == DType::kI8) return Run<uint8_t, int8_t>::run;
  if (x == DType::kI8 && w == DType::kI8) return Run<int8_t, int8_t>::run;
  if (x == DType::kI8 && w == DType::kU8) return Run<int8_t, uint8_t>::run;
  return Invalid(Text("x is ", DTypeName(x), " and w ", DTypeName(w), "; both must be bytes"));
}
template <typename X, typename W>
struct Integer {
  static constexpr auto run = RunInteger<X, W>;
};
template <typename X, typename W>
struct LinearRun {
  static constexpr auto run = RunLinear<X, W>;
};

Status InferConvInteger(InferContext& context) { return InferConvolution(context, 1, DType::kI32); }
Status InferQLinearConv(InferContext& context) {
  if (const graph::Shape* w = context.shape(kW); w && !w->empty())
    PARE_TRY(CheckBias(context, kB, w->front()));
  return InferConvolution(context, kW, context.dtype(kYZero));
}

Status Prepare(PrepareContext& context, IntegerState state,
               Result<void (*)(const StepArgs&) noexcept> run, std::string_view kernel) {
  PARE_TRY(run);
  PARE_ASSIGN(const ConvGeometry conv, ReadConvolution(context, state.w));
  state.args = PlainArgs<uint8_t, uint8_t>(conv);
  const int x_zero = state.w == 1 ? 2 : kXZero, w_zero = state.w == 1 ? 3 : kWZero;
  PARE_TRY(ElementEach(context, x_zero, context.dtype(0), 1));
  PARE_ASSIGN(const bool zero_a_channel,
              ElementEach(context, w_zero, context.dtype(state.w), conv.y.channels));
  state.args.w_zero_step = zero_a_channel ? 1 : 0;
  context.AddStep({.run = *run,
                   .state = context.State(state),
                   .tasks = conv.y.batch * conv.y.channels,
                   .kernel = kernel});
  return {};
}

// Inputs: x, w, x_zero?, w_zero?.
Status PrepareConvInteger(PrepareContext& context) {
  return Prepare(context, {.args = {}, .w = 1, .x_zero = {context, 2}, .w_zero = {context, 3}},
                 RunOf<Integer>(context.dtype(0), context.dtype(1)), "convinteger_plain");
}

Status PrepareQLinearConv(PrepareContext& context) {
  IntegerState state{.args = {},
                     .w = kW,
                     .x_zero = {context, kXZero},
                     .w_zero = {context, kWZero},
                     .bias = {context, kB}};
  if (context.output_dtype() != context.dtype(kX)) return Unsupported("x and y differ in type");
  const int64_t channels = context.shape(kW)[0];
  for (int scale : {kXScale, kYScale}) PARE_TRY(ElementEach(context, scale, DType::kF32, 1));
  PARE_ASSIGN(state.scale_a_channel, ElementEach(context, kWScale, DType::kF32, channels));
  PARE_TRY(ElementEach(context, kYZero, context.dtype(kX), 1));
  PARE_TRY(ElementEach(context, kB, DType::kI32, channels));
  return Prepare(context, state, RunOf<LinearRun>(context.dtype(kX), context.dtype(kW)),
                 "qlinearconv_plain");
}

Cost CostOfConvInteger(const NodeView& view) { return CostOfConvolution(view, 1); }
Cost CostOfQLinearConv(const NodeView& view) { return CostOfConvolution(view, kW); }

constexpr QuantRule kQuant{.keep_float = "it is an integer operator"};

}  // namespace

extern constinit const OpDef kConvInteger{.name = "ConvInteger",
                                          .inputs = {{{"x"},
                                                      {"w"},
                                                      {"x_zero_point", Presence::kOptional},
                                                      {"w_zero_point", Presence::kOptional}}},
                                          .outputs = {{{"y"}}},
                                          .infer = InferConvInteger,
                                          .prepare = PrepareConvInteger,
                                          .grad = kIntegers,
                                          .quant = kQuant,
                                          .channels = kOfQuantization,
                                          .cost = CostOfConvInteger};

extern constinit const OpDef kQLinearConv{.name = "QLinearConv",
                                          .inputs = {{{"x"},
                                                      {"x_scale"},
                                                      {"x_zero_point"},
                                                      {"w"},
                                                      {"w_scale"},
                                                      {"w_zero_point"},
                                                      {"y_scale"},
                                                      {"y_zero_point"},
                                                      {"b", Presence::kOptional}}},
                                          .outputs = {{{"y"}}},
                                          .infer = InferQLinearConv,
                                          .prepare = PrepareQLinearConv,
                                          .grad = kIntegers,
                                          .quant = kQuant,
                                          .channels = kOfQuantization,
                                          .cost = CostOfQLinearConv};

}  // namespace pare::ops
