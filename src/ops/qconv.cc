// pare.QConv and pare.QGemm: exact integer sums of u8 activations and s8 weights, and their way to
// u8 or f32 (kernels/qconv/qconv.h has the formula).
//
//   inputs   x u8, w s8 [out_c, k…, in_c/group] ([n, k] for QGemm), multiplier f32 [out_c], bias
//   i32
//            [out_c]?, residual u8?, w_zero_point i32 [out_c]?
//   attrs    x_zero_point, y_zero_point, lo = 0, hi = 255, residual_zero_point,
//   residual_multiplier,
//            output = "u8" | "f32" (y = acc · multiplier, then the node's activation), pairs =
//            "exact" | "saturating" (kernels/qsaturating: what an engine without VNNI would give),
//            and those of Conv
#include "kernels/qconv/qconv.h"

#include "kernels/activation.h"
#include "kernels/qsaturating/qsaturating.h"
#include "ops/activation_attr.h"
#include "ops/channels.h"
#include "ops/conv.h"
#include "ops/optional_input.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;
using kernels::QConvShape;

enum Input { kX, kW, kMultiplier, kBias, kResidual, kWZeroPoint };

Result<DType> OutputType(const NodeView& view) {
  const std::string output = view.attrs().s("output", "u8");
  if (output == "u8") return DType::kU8;
  if (output == "f32") return DType::kF32;
  return Invalid(Text("output is \"", output, "\""));
}

Status InferQConv(InferContext& context) {
  PARE_ASSIGN(const DType output, OutputType(context));
  return InferConvolution(context, kW, output);
}

Status InferQGemm(InferContext& context) {
  PARE_ASSIGN(const DType output, OutputType(context));
  const Shape* x = context.shape(kX);
  const Shape* w = context.shape(kW);
  if (!x || !w || x->empty() || w->size() != 2) {
    context.set_output(0, output);
    return {};
  }
  if (x->back().known() && (*w)[1].known() && x->back() != (*w)[1]) {
    return Invalid(Text("the inner dimensions ", x->back().size(), " and ", (*w)[1].size(),
                        " are not the same"));
  }
  Shape y = *x;
  y.back() = (*w)[0];
  context.set_output(0, output, std::move(y));
  return {};
}

struct QState {
  kernels::QConvArgs args;
  const kernels::QConvKernel* kernel = nullptr;
  OptionalInput residual{};
};

void RunQ(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const QState*>(step.state);
  kernels::QConvArgs args = state.args;
  args.x = step.in<uint8_t>(kX);
  args.y = step.outputs[0];
  args.residual = state.residual.in<uint8_t>(step);
  state.kernel->run(args, step.begin, step.end, step.scratch);
}

Result<const kernels::Row<kernels::QConvKernel>*> FindRow(const PrepareContext& context,
                                                          const QConvShape& shape) {
  const std::string pairs = context.attrs().s("pairs", "exact");
  if (pairs == "exact") return kernels::FindQConv(context.cpu(), shape);
  if (pairs == "saturating") return kernels::FindQSaturating(context.cpu(), shape);
  return Invalid(Text("pairs is \"", pairs, "\""));
}

struct FloatActivation {
  kernels::Activation activation;
  int64_t count, tasks;
};

void RunActivation(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const FloatActivation*>(step.state);
  float* y = step.out<float>(0);
  const int64_t begin = kernels::PartOf(state.count, state.tasks, step.begin).begin;
  const int64_t end = kernels::PartOf(state.count, state.tasks, step.end - 1).end;
  for (int64_t i = begin; i < end; ++i) y[i] = kernels::Activate(state.activation, y[i]);
}

// A constant of `count` elements of type T; null where it is absent and may be.
template <typename T>
Result<const T*> Vector(PrepareContext& context, int input, int64_t count, std::string_view name) {
  if (!context.has_input(input)) return nullptr;
  PARE_ASSIGN(const Tensor* tensor, context.Constant(input, name));
  if (tensor->dtype() != DTypeOf<T> || tensor->count() != count) {
    return Invalid(Text(name, " is ", DTypeName(tensor->dtype()), DimsText(tensor->shape()),
                        " instead of ", DTypeName(DTypeOf<T>), "[", count, "]"));
  }
  return tensor->as<T>().data();
}

Result<const std::byte*> PackWeights(PrepareContext& context, const QConvShape& shape,
                                     const kernels::Row<kernels::QConvKernel>& row) {
  PARE_ASSIGN(const int8_t* w, Vector<int8_t>(context, kW, shape.out_c * shape.depth(), "w"));
  PARE_ASSIGN(const float* scale, Vector<float>(context, kMultiplier, shape.out_c, "multiplier"));
  PARE_ASSIGN(const int32_t* bias, Vector<int32_t>(context, kBias, shape.out_c, "bias"));
  PARE_ASSIGN(const int32_t* w_zero,
              Vector<int32_t>(context, kWZeroPoint, shape.out_c, "w_zero_point"));
  const int64_t x_zero = context.attrs().i("x_zero_point", 0);
  const kernels::QConvWeights weights{.w = w,
                                      .bias = bias,
                                      .scale = scale,
                                      .w_zero_point = w_zero,
                                      .x_zero_point = static_cast<int32_t>(x_zero)};
  const std::string format = Text(row.name, " ", x_zero, " ", shape.groups, " ", shape.kernel_h,
                                  "x", shape.kernel_w, " ", shape.in_c, ">", shape.out_c);
  return context.Pack({kW, kMultiplier, kBias, kWZeroPoint}, format,
                      static_cast<size_t>(row->packed_bytes(shape)),
                      [&](std::byte* to) { row->pack(shape, weights, to); });
}

Status PrepareQ(PrepareContext& context, QConvShape shape) {
  if (context.dtype(kX) != DType::kU8) return Invalid("x is not u8");
  const graph::Attrs& attrs = context.attrs();
  const bool to_float = context.output_dtype() == DType::kF32;
  shape.out = to_float ? kernels::QOut::kF32 : kernels::QOut::kU8;
  if (shape.pixels() * shape.out_c == 0) return {};
  if (context.has_input(kResidual)) {
    if (to_float || context.dtype(kResidual) != DType::kU8 ||
        context.shape(kResidual) != context.output_shape()) {
      return Invalid("the residual is not u8 of the output's shape");
    }
    context.AllowInPlace(kResidual);
  }
  shape.residual = context.has_input(kResidual);
  shape.w_zero_points = context.has_input(kWZeroPoint);
  PARE_ASSIGN(const auto* row, FindRow(context, shape));
  QState state{
      .args = {.shape = shape}, .kernel = row->functions, .residual = {context, kResidual}};
  PARE_ASSIGN(state.args.packed, PackWeights(context, shape, *row));
  state.args.y_zero_point = static_cast<int32_t>(attrs.i("y_zero_point", 0));
  state.args.lo = static_cast<int32_t>(attrs.i("lo", 0));
  state.args.hi = static_cast<int32_t>(attrs.i("hi", 255));
  state.args.residual_zero_point = static_cast<int32_t>(attrs.i("residual_zero_point", 0));
  state.args.residual_scale = attrs.f("residual_multiplier", 0.0f);
  context.AddStep({.run = RunQ,
                   .state = context.State(state),
                   .tasks = row->functions->tasks(shape),
                   .scratch_bytes = static_cast<size_t>(row->functions->scratch_bytes(shape)),
                   .kernel = row->name});
  PARE_ASSIGN(const kernels::Activation activation, ReadActivation(attrs));
  if (to_float && activation.kind != kernels::Activation::Kind::kNone) {
    const int64_t count = shape.pixels() * shape.out_c, tasks = kernels::CeilDiv(count, 4096);
    context.AddStep({.run = RunActivation,
                     .state = context.State(FloatActivation{activation, count, tasks}),
                     .tasks = tasks,
                     .kernel = "activation_f32_plain"});
  }
  return {};
}

Status PrepareQConv(PrepareContext& context) {
  PARE_ASSIGN(const ConvGeometry conv, ReadConvolution(context, kW));
  if (conv.spatial > 2)
    return Unsupported("pare's integer convolutions have one or two dimensions");
  return PrepareQ(context, ConvImageShape<QConvShape>(conv));
}

Status PrepareQGemm(PrepareContext& context) {
  const Dims y = context.output_shape(), w = context.shape(kW);
  if (w.size() != 2) return Invalid("w must be [n, k]");
  int64_t m = 1;
  for (size_t i = 0; i + 1 < y.size(); ++i) m *= y[i];
  return PrepareQ(context, kernels::QGemmShape(m, w[1], w[0]));
}

Cost CostOfQConv(const NodeView& view) { return CostOfConvolution(view, kW); }

Cost CostOfQGemm(const NodeView& view) {
  if (!view.input(kW).is_static() || view.input(kW).rank() != 2) return {};
  return {.macs = Work({OutputCount(view), view.input(kW).dims()[1]})};
}

constexpr Slots kInputs{{{"x"},
                         {"w"},
                         {"multiplier"},
                         {"bias", Presence::kOptional},
                         {"residual", Presence::kOptional},
                         {"w_zero_point", Presence::kOptional}}};

}  // namespace

extern constinit const OpDef kQConv{.name = "pare.QConv",
                                    .inputs = kInputs,
                                    .outputs = {{{"y"}}},
                                    .infer = InferQConv,
                                    .prepare = PrepareQConv,
                                    .grad = kIntegers,
                                    .quant = {.keep_float = "it is an integer operator"},
                                    .channels = kOwnForm,
                                    .cost = CostOfQConv};

extern constinit const OpDef kQGemm{.name = "pare.QGemm",
                                    .inputs = kInputs,
                                    .outputs = {{{"y"}}},
                                    .infer = InferQGemm,
                                    .prepare = PrepareQGemm,
                                    .grad = kIntegers,
                                    .quant = {.keep_float = "it is an integer operator"},
                                    .channels = kOwnForm,
                                    .cost = CostOfQGemm};

}  // namespace pare::ops
