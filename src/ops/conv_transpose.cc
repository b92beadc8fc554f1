// ConvTranspose: y = act(x ∗ᵀ w + b + residual). Weights are [in_c, out_c/group, k…] or, with
// channels_last, [in_c, k…, out_c/group].
#include <algorithm>

#include "kernels/deconv/deconv.h"
#include "ops/channels.h"
#include "ops/conv.h"
#include "ops/grad.h"
#include "ops/image_step.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Ints;
using graph::Shape;

struct Geometry {
  int spatial = 2;
  Layout layout;
  Ints kernel, strides, dilations, pads, output_padding, output_shape;
  std::string auto_pad;

  int64_t extent(int i) const { return dilations[i] * (kernel[i] - 1) + 1; }
};

Result<Geometry> Read(const NodeView& view, const Dims& weights) {
  Geometry g;
  g.spatial = static_cast<int>(weights.size()) - 2;
  g.layout = LayoutOf(view);
  const auto taps = weights.begin() + (g.layout.channels_last ? 1 : 2);
  PARE_ASSIGN(const WindowAttrs window,
              ReadWindow(view.attrs(), g.spatial, Ints(taps, taps + g.spatial)));
  if (!std::equal(window.kernel.begin(), window.kernel.end(), taps)) {
    return Invalid("kernel_shape differs from the shape of the weights");
  }
  const size_t n = static_cast<size_t>(g.spatial);
  g.kernel = window.kernel;
  g.strides = window.strides;
  g.dilations = window.dilations;
  g.pads = window.pads;
  g.auto_pad = window.auto_pad;
  g.output_padding = view.attrs().ints("output_padding", Ints(n, 0));
  g.output_shape = view.attrs().ints("output_shape");
  if (g.output_shape.size() == n + 2)
    g.output_shape.erase(g.output_shape.begin(), g.output_shape.begin() + 2);
  if (g.output_padding.size() != n || (!g.output_shape.empty() && g.output_shape.size() != n)) {
    return Invalid("output_padding or output_shape has a wrong number of elements");
  }
  for (int64_t pad : g.output_padding) {
    if (pad < 0 || pad > (int64_t{1} << 24)) return Invalid(Text("output_padding holds ", pad));
  }
  return g;
}

// The output's extent along dimension i, and the padding before it.
struct Extent {
  int64_t size, pad_begin;
};
Result<Extent> ExtentOf(const Geometry& g, int i, int64_t in) {
  PARE_TRY(CheckExtent(in));
  const int64_t full = (in - 1) * g.strides[i] + g.output_padding[i] + g.extent(i);
  const bool same = g.auto_pad.starts_with("SAME_");
  int64_t size = full - g.pads[i] - g.pads[i + g.spatial], begin = g.pads[i];
  if (same || !g.output_shape.empty()) {
    size = g.output_shape.empty() ? in * g.strides[i] : g.output_shape[i];
    if (size < 0) return Invalid(Text("output_shape holds ", size));
    const int64_t total = std::max(int64_t{0}, full - size);
    begin = g.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    if (!same) begin = total / 2;
  }
  if (size < 0) return Invalid(Text("its padding leaves an output of ", size));
  return Extent{size, begin};
}

Status InferConvTranspose(InferContext& context) {
  const Shape* x = context.shape(0);
  const Shape* w = context.shape(1);
  if (!x || !w || !context.input(1).is_static()) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  PARE_TRY(SpatialDims(*x));
  if (w->size() != x->size()) return Invalid("its weights and its input differ in rank");
  const Dims weights = context.input(1).dims();
  PARE_ASSIGN(const Geometry g, Read(context, weights));
  const int rank = g.spatial + 2, channel = g.layout.channel_axis(rank);
  const int64_t groups = context.attrs().i("group", 1);
  const Dim in = (*x)[channel];
  if (groups < 1 || weights[0] % groups != 0) return Invalid(Text("group is ", groups));
  if (in.known() && in.size() != weights[0]) {
    return Invalid(
        Text("its weights are for ", weights[0], " channels, the input has ", in.size()));
  }
  PARE_TRY(CheckBias(context, 2, weights[g.layout.channels_last ? rank - 1 : 1] * groups));
  Shape y(x->size());
  y[0] = (*x)[0];
  y[channel] = Work({weights[g.layout.channels_last ? rank - 1 : 1], groups});
  for (int i = 0; i < g.spatial; ++i) {
    const Dim size = (*x)[g.layout.spatial_axis(i)];
    if (!size.known()) continue;
    PARE_ASSIGN(const Extent extent, ExtentOf(g, i, size.size()));
    y[g.layout.spatial_axis(i)] = extent.size;
  }
  context.set_output(0, context.dtype(0), std::move(y));
  return {};
}

Result<Window> WindowOf(const Geometry& g, const Image& x) {
  Window window;
  for (int i = 0; i < g.spatial; ++i) {
    const int to = kMaxSpatial - g.spatial + i;
    PARE_ASSIGN(const Extent extent, ExtentOf(g, i, x.size[to]));
    window.kernel[to] = g.kernel[i];
    window.stride[to] = g.strides[i];
    window.dilation[to] = g.dilations[i];
    window.pad_begin[to] = extent.pad_begin;
  }
  return window;
}

Status PreparePlain(PrepareContext& context, const ConvGeometry& conv) {
  const int64_t group_out = conv.y.channels / conv.groups, taps = conv.window.taps();
  const bool last = conv.layout.channels_last;
  kernels::ConvNdArgs<float, float> args{.shape = PlainShape(conv.x, conv.y, conv.window),
                                         .groups = conv.groups,
                                         .transposed = true,
                                         .w_out = last ? 1 : taps,
                                         .w_in = taps * group_out,
                                         .w_tap = last ? group_out : 1};
  return AddPlainConvStep(context, args, "deconv_f32_plain");
}

Result<ConvGeometry> ReadTransposed(const NodeView& view) {
  ConvGeometry conv;
  conv.weights = view.input(1).dims();
  PARE_ASSIGN(const Geometry g, Read(view, conv.weights));
  conv.spatial = g.spatial;
  conv.layout = g.layout;
  conv.x = ImageOf(view.input(0).dims(), g.layout);
  conv.y = ImageOf(view.output(0).dims(), g.layout);
  conv.groups = view.attrs().i("group", 1);
  PARE_ASSIGN(conv.window, WindowOf(g, conv.x));
  return conv;
}

// Where output_padding leaves a stride or more that no window reaches, the convolution back would
// find room for further positions: `conv` (from y's image to x's) and dy without that rest.
Var WithinReach(ConvGeometry& conv, Var dy) {
  for (int i = 0; i < conv.spatial; ++i) {
    const int at = kMaxSpatial - conv.spatial + i;
    const Window& w = conv.window;
    const int64_t reach = (conv.y.size[at] - 1) * w.stride[at] +
                          (w.kernel[at] - 1) * w.dilation[at] + 1 - w.pad_begin[at];
    if (conv.x.size[at] - reach < w.stride[at] || reach < 1) continue;
    dy = SliceAxis(dy, (conv.layout.channels_last ? 1 : 2) + i, 0, reach);
    conv.x.size[at] = reach;
  }
  return dy;
}

// The convolution whose transpose this is takes y's image to x's: so dy goes to dx.
Status GradConvTranspose(GradContext& g) {
  PARE_ASSIGN(ConvGeometry conv, ReadTransposed(g));
  std::swap(conv.x, conv.y);
  const Var whole = g.dy(), dy = WithinReach(conv, whole);
  if (g.wants(0)) g.gives(0, g.emit().Add("Conv", {dy, g.in(1)}, ConvGradAttrs(conv)));
  if (g.wants(1)) g.gives(1, ConvWeightGrad(conv, dy, g.in(0), conv.weights));
  if (g.inputs() > 2 && g.wants(2)) g.gives(2, SumToChannels(conv.layout, whole));
  return {};
}

// With stride 1 it is a convolution whose taps are turned round, padded by what their reach leaves.
Status PrepareImage(PrepareContext& context, const ConvGeometry& conv) {
  kernels::ConvShape shape = ImageShape(conv);
  const auto weights = kernels::DenseTransposedWeights(shape, nullptr, TapOrderOf(conv));
  const int64_t top = (shape.kernel_h - 1) * shape.dilation_h - shape.pad_top;
  const int64_t left = (shape.kernel_w - 1) * shape.dilation_w - shape.pad_left;
  if (shape.stride_h == 1 && shape.stride_w == 1 && top >= 0 && left >= 0) {
    shape.pad_top = top, shape.pad_left = left;
    return PrepareImageStep(context, conv,
                            MakeImageConv(context, conv, shape, weights.TurnedRound(shape)));
  }
  const auto* row = kernels::FindDeconv(context.cpu(), shape);
  return PrepareImageStep(context, conv, {shape, row, weights});
}

Status PrepareConvTranspose(PrepareContext& context) {
  if (context.dtype(0) != DType::kF32 || context.dtype(1) != DType::kF32) {
    return Unsupported(Text("pare convolves f32, not ", DTypeName(context.dtype(0))));
  }
  if (context.has_input(2) && context.dtype(2) != DType::kF32)
    return Invalid(Text("its bias is ", DTypeName(context.dtype(2)), ", not f32"));
  PARE_ASSIGN(const ConvGeometry conv, ReadTransposed(context));
  return IsImage(conv) ? PrepareImage(context, conv) : PreparePlain(context, conv);
}

Cost CostOfConvTranspose(const NodeView& view) {
  const graph::TensorType& weights = view.input(1);
  if (!weights.is_static() || weights.dims().empty() || weights.dims()[0] == 0) return {};
  return {.macs = Work({CountIfKnown(view.input(0)), CountIfKnown(weights) / weights.dims()[0]})};
}

// As for Conv; the weights are [in, out / group, …].
void TieConvTranspose(ChannelContext& c) {
  const int64_t group = c.attrs().i("group", 1), in = c.size(In(1, 0)), each = c.size(In(1, 1));
  if (group == 1) {
    static constexpr std::string_view kInputs[] = {"nc*", "co*", "o"};
    return TieLabels(c, kInputs, "no*");
  }
  if (group < 1 || in < 1 || each < 1 || in % group != 0) return;
  c.Tie(In(0, 0), Out(0));
  c.Tie(In(0, 1), In(1, 0));
  c.Tie(In(2, 0), Out(1));
  if (in == group) return c.TieFactor(Out(1), In(0, 1), each);
  c.TiePeriods(In(0, 1), in / group);
  c.TieFactor(Out(1), In(1, 1), 1);
}

int64_t FanInOfConvTranspose(const NodeView& view, int input) {
  const Dims shape = view.input(input).dims();
  return input == 1 ? Count(shape) / shape[1] / std::max<int64_t>(1, view.attrs().i("group", 1))
                    : 0;
}

}  // namespace

extern constinit const OpDef kConvTranspose{
    .name = "ConvTranspose",
    .inputs = {{{"x"}, {"w"}, {"b", Presence::kOptional}, {"residual", Presence::kOptional}}},
    .outputs = {{{"y"}}},
    .infer = InferConvTranspose,
    .prepare = PrepareConvTranspose,
    .grad = {.emit = GradConvTranspose,
             .parameters = Inputs({1, 2}),
             .fan_in = FanInOfConvTranspose},
    .quant = {.keep_float = "pare has no integer form of a transposed convolution"},
    .channels = {.tie = TieConvTranspose, .edit = EditConvGroup},
    .cost = CostOfConvTranspose,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
