// Conv: y = act(x ∗ w + b + residual).
#include "ops/conv.h"

#include "kernels/activation.h"
#include "ops/activation_attr.h"
#include "ops/channels.h"
#include "ops/grad.h"
#include "ops/optional_input.h"

namespace pare::ops {

using graph::Dim;
using graph::Shape;

Status InferConvolution(InferContext& context, int w, DType output) {
  const Shape* x = context.shape(0);
  const Shape* weights = context.shape(w);
  if (!x || !weights) {
    context.set_output(0, output);
    return {};
  }
  PARE_ASSIGN(const int spatial, SpatialDims(*x));
  if (weights->size() != x->size()) {
    return Invalid(
        Text("its weights have ", weights->size(), " dimensions, its input ", x->size()));
  }
  const Layout layout = LayoutOf(context);
  const int rank = spatial + 2, taps = layout.channels_last ? 1 : 2;
  graph::Ints kernel;
  bool known = true;
  for (int i = 0; i < spatial; ++i) {
    const Dim dim = (*weights)[taps + i];
    known = known && dim.known();
    if (known) kernel.push_back(dim.size());
  }
  if (!known) {
    kernel = context.attrs().ints("kernel_shape");
    if (kernel.empty()) {
      Shape y(x->size(), Dim::Unknown());
      y[0] = (*x)[0];
      y[layout.channel_axis(rank)] = (*weights)[0];
      context.set_output(0, output, std::move(y));
      return {};
    }
  }
  const int64_t groups = context.attrs().i("group", 1);
  const Dim in = (*x)[layout.channel_axis(rank)];
  const Dim group_in = (*weights)[layout.channels_last ? rank - 1 : 1], out = (*weights)[0];
  if (groups < 1 || (out.known() && out.size() % groups != 0)) {
    return Invalid(
        Text("group is ", groups, " with ", out.known() ? out.size() : 0, " output channels"));
  }
  if (in.known() && group_in.known() && in.size() != Work({group_in.size(), groups})) {
    return Invalid(Text("its weights are for ", group_in.size(), " channels a group, group=",
                        groups, ", but the input has ", in.size(), " channels"),
                   "the file is damaged or was edited by hand; `pare inspect` lists each node's "
                   "shapes");
  }
  PARE_ASSIGN(const WindowAttrs window, ReadWindow(context.attrs(), spatial, kernel));
  if (window.kernel != kernel) return Invalid("kernel_shape differs from the shape of the weights");
  PARE_TRY(InferWindowed(context, window, out));
  graph::TensorType type = context.output(0);
  type.dtype = output;
  context.set_output(0, type);
  return {};
}

Status CheckBias(const InferContext& context, int input, Dim channels) {
  const Shape* bias = context.shape(input);
  if (!bias) return {};
  const bool wrong_size =
      !bias->empty() && bias->front().known() && channels.known() && bias->front() != channels;
  if (bias->size() == 1 && !wrong_size) return {};
  return Invalid(
      Text("its bias is ", graph::TypeText(context.input(input), context.graph().symbols()),
           ", and it has ", channels.known() ? Text(channels.size()) : std::string("other"),
           " output channels"));
}

Result<ConvGeometry> ReadConvolution(const NodeView& view, int w) {
  ConvGeometry conv;
  conv.layout = LayoutOf(view);
  conv.weights = view.input(w).dims();
  conv.spatial = static_cast<int>(conv.weights.size()) - 2;
  conv.x = ImageOf(view.input(0).dims(), conv.layout);
  conv.y = ImageOf(view.output(0).dims(), conv.layout);
  conv.groups = view.attrs().i("group", 1);
  const auto taps = conv.weights.begin() + (conv.layout.channels_last ? 1 : 2);
  PARE_ASSIGN(const WindowAttrs attrs,
              ReadWindow(view.attrs(), conv.spatial, graph::Ints(taps, taps + conv.spatial)));
  conv.window = ResolveWindow(attrs, conv.x);
  return conv;
}

kernels::WindowShape PlainShape(const Image& x, const Image& y, const Window& window) {
  kernels::WindowShape shape{.batch = x.batch, .channels = x.channels, .out_channels = y.channels};
  shape.x = {.batch = x.batch_stride, .channel = x.channel_stride};
  shape.y = {.batch = y.batch_stride, .channel = y.channel_stride};
  for (int i = 0; i < kMaxSpatial; ++i) {
    shape.in[i] = x.size[i];
    shape.out[i] = y.size[i];
    shape.kernel[i] = window.kernel[i];
    shape.stride[i] = window.stride[i];
    shape.dilation[i] = window.dilation[i];
    shape.pad[i] = window.pad_begin[i];
    shape.pad_end[i] = window.pad_end[i];
    shape.x.at[i] = x.stride[i];
    shape.y.at[i] = y.stride[i];
  }
  return shape;
}

Cost CostOfConvolution(const NodeView& view, int w) {
  const graph::TensorType& weights = view.input(w);
  if (!weights.is_static() || weights.dims().empty() || weights.dims()[0] == 0) return {};
  return {.macs = Work({OutputCount(view), CountIfKnown(weights) / weights.dims()[0]})};
}

namespace {

struct PlainConv {
  kernels::ConvNdArgs<float, float> args;
  kernels::Activation activation;
  OptionalInput bias, residual;
};

void RunPlainConv(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const PlainConv*>(step.state);
  kernels::ConvNdArgs<float, float> args = state.args;
  args.x = step.in<float>(0);
  args.w = step.in<float>(1);
  const float* bias = state.bias.in<float>(step);
  const float* residual = state.residual.in<float>(step);
  float* y = step.out<float>(0);
  kernels::ConvNd<float>(args, step.begin, step.end, [&](float sum, int64_t o, int64_t at) {
    if (bias) sum += bias[o];
    if (residual) sum += residual[at];
    y[at] = kernels::Activate(state.activation, sum);
  });
}

Status InferConv(InferContext& context) {
  if (const Shape* w = context.shape(1); w && !w->empty())
    PARE_TRY(CheckBias(context, 2, w->front()));
  return InferConvolution(context, 1, context.dtype(0));
}

Status PrepareConv(PrepareContext& context) {
  if (context.dtype(0) != DType::kF32 || context.dtype(1) != DType::kF32) {
    return Unsupported(Text("pare convolves f32, not ", DTypeName(context.dtype(0))));
  }
  PARE_ASSIGN(const ConvGeometry conv, ReadConvolution(context, 1));
  return IsImage(conv) ? PrepareImageConv(context, conv) : PreparePlainConv(context, conv);
}

// The transposed convolution takes dy back to x's extents: what the strides left over is its
// output padding.
graph::Attrs TransposedAttrs(const ConvGeometry& conv) {
  graph::Attrs attrs = ConvGradAttrs(conv);
  graph::Ints padding;
  const graph::Ints pads = attrs.ints("pads");
  for (int i = 0; i < conv.spatial; ++i) {
    const int at = kMaxSpatial - conv.spatial + i;
    const int64_t reached = (conv.y.size[at] - 1) * conv.window.stride[at] +
                            (conv.window.kernel[at] - 1) * conv.window.dilation[at] + 1 - pads[i] -
                            pads[i + conv.spatial];
    padding.push_back(conv.x.size[at] - reached);
  }
  attrs.set("output_padding", padding);
  return attrs;
}

Status GradConv(GradContext& g) {
  PARE_ASSIGN(const ConvGeometry conv, ReadConvolution(g, 1));
  const Var dy = g.dy();
  if (g.wants(0)) g.gives(0, g.emit().Add("ConvTranspose", {dy, g.in(1)}, TransposedAttrs(conv)));
  if (g.wants(1)) g.gives(1, ConvWeightGrad(conv, g.in(0), dy, conv.weights));
  if (g.inputs() > 2 && g.wants(2)) g.gives(2, SumToChannels(conv.layout, dy));
  return {};
}

Cost CostOfConv(const NodeView& view) { return CostOfConvolution(view, 1); }

// Dense: labels. One channel a group: the group is the channel. Other groups: as many go from each,
// at the same place.
void TieConv(ChannelContext& c) {
  const int64_t group = c.attrs().i("group", 1), in = c.size(In(0, 1)), out = c.size(In(1, 0));
  if (group == 1) {
    static constexpr std::string_view kInputs[] = {"nc*", "oc*", "o"};
    return TieLabels(c, kInputs, "no*");
  }
  if (group < 1 || in < 1 || out < 1 || in % group != 0 || out % group != 0) return;
  c.Tie(In(0, 0), Out(0));
  c.Tie(In(1, 0), Out(1));
  c.Tie(In(2, 0), Out(1));
  if (in == group) return c.TieFactor(Out(1), In(0, 1), out / group);
  c.TieFactor(In(0, 1), In(1, 1), 1);
  c.TiePeriods(Out(1), out / group);
}

int64_t FanInOfConv(const NodeView& view, int input) {
  const Dims shape = view.input(input).dims();
  return input == 1 ? Count(shape) / shape[0] : 0;
}

}  // namespace

Status EditConvGroup(ChannelEdit& e) {
  const int64_t group = e.attrs().i("group", 1);
  if (group > 1 && group == e.old_size(In(0, 1))) e.SetAttr("group", e.new_size(In(0, 1)));
  return {};
}

Status PreparePlainConv(PrepareContext& context, const ConvGeometry& conv) {
  return AddPlainConvStep(context, PlainArgs<float, float>(conv), "conv_f32_plain");
}

Status AddPlainConvStep(PrepareContext& context, const kernels::ConvNdArgs<float, float>& args,
                        std::string_view kernel) {
  PARE_ASSIGN(const kernels::Activation activation, ReadActivation(context.attrs()));
  auto* state = context.State(PlainConv{args, activation, {context, 2}, {context, 3}});
  context.AddStep({.run = RunPlainConv,
                   .state = state,
                   .tasks = args.shape.batch * args.shape.out_channels,
                   .kernel = kernel});
  return {};
}

extern constinit const OpDef kConv{
    .name = "Conv",
    .inputs = {{{"x"}, {"w"}, {"b", Presence::kOptional}, {"residual", Presence::kOptional}}},
    .outputs = {{{"y"}}},
    .infer = InferConv,
    .prepare = PrepareConv,
    .grad = {.emit = GradConv, .parameters = Inputs({1, 2}), .fan_in = FanInOfConv},
    .quant = {.inputs = {{{Role::kActivation}, {Role::kWeight, 0}, {Role::kBias}}},
              .integer = true},
    .channels = {.tie = TieConv, .edit = EditConvGroup},
    .cost = CostOfConv,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
