// Gradients of convolutions by their weights: pare.ConvWeightGrad, the sum over all positions of
// the products of what a tap read with the gradient of what it wrote to.
#include <numeric>

#include "ops/channels.h"
#include "ops/image_step.h"
#include "ops/weight_grad.h"

namespace pare::ops {

using graph::Ints;

graph::Attrs ConvGradAttrs(const ConvGeometry& conv) {
  Ints strides, dilations, begins, ends;
  for (int i = kMaxSpatial - conv.spatial; i < kMaxSpatial; ++i) {
    const Window& w = conv.window;
    strides.push_back(w.stride[i]);
    dilations.push_back(w.dilation[i]);
    begins.push_back(w.pad_begin[i]);
    // What the last position reaches beyond the image; 0 where the image reaches further.
    const int64_t reach =
        (conv.y.size[i] - 1) * w.stride[i] + (w.kernel[i] - 1) * w.dilation[i] + 1;
    ends.push_back(std::max<int64_t>(0, reach - w.pad_begin[i] - conv.x.size[i]));
  }
  begins.insert(begins.end(), ends.begin(), ends.end());
  graph::Attrs attrs{{"strides", strides}, {"dilations", dilations}, {"pads", begins}};
  if (conv.groups != 1) attrs.set("group", conv.groups);
  if (conv.layout.channels_last) attrs.set("channels_last", int64_t{1});
  return attrs;
}

Var ConvWeightGrad(const ConvGeometry& conv, Var x, Var dy, const Dims& weights) {
  graph::Attrs attrs = ConvGradAttrs(conv);
  attrs.set("weights", Ints(weights));
  return x.emitter().Add("pare.ConvWeightGrad", {x, dy}, std::move(attrs));
}

Var SumToChannels(const Layout& layout, Var dy) {
  std::vector<int64_t> axes;
  for (int i = 0; i < dy.rank(); ++i) {
    if (i != layout.channel_axis(dy.rank())) axes.push_back(i);
  }
  return ReduceSum(dy, axes, KeepDims::kNo);
}

namespace {

Status InferWeightGrad(InferContext& context) {
  const Ints weights = context.attrs().ints("weights");
  if (weights.size() < 3) return Invalid("the attribute weights must hold a shape");
  context.set_output(0, context.dtype(0), graph::ToShape(weights));
  return {};
}

Result<ConvGeometry> ReadWeightGrad(const NodeView& view) {
  ConvGeometry conv;
  conv.layout = LayoutOf(view);
  conv.weights = view.output(0).dims();
  conv.spatial = static_cast<int>(conv.weights.size()) - 2;
  conv.x = ImageOf(view.input(0).dims(), conv.layout);
  conv.y = ImageOf(view.input(1).dims(), conv.layout);
  conv.groups = view.attrs().i("group", 1);
  const auto taps = conv.weights.begin() + (conv.layout.channels_last ? 1 : 2);
  PARE_ASSIGN(const WindowAttrs attrs,
              ReadWindow(view.attrs(), conv.spatial, Ints(taps, taps + conv.spatial)));
  conv.window = ResolveWindow(attrs, conv.x);
  return conv;
}

using PlainState = kernels::ConvNdArgs<float, float>;

// A task is the weights of one output channel.
void RunPlain(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const PlainState*>(step.state);
  const kernels::WindowShape& s = state.shape;
  const int64_t group_in = s.channels / state.groups, group_out = s.out_channels / state.groups;
  for (int64_t o = step.begin; o < step.end; ++o) {
    float* dw = step.out<float>(0) + o * state.w_out;
    std::fill_n(dw, state.w_out, 0.0f);
    for (int64_t n = 0; n < s.batch; ++n) {
      const float* x = step.in<float>(0) + n * s.x.batch + o / group_out * group_in * s.x.channel;
      const float* dy = step.in<float>(1) + n * s.y.batch + o * s.y.channel;
      kernels::ForEachPosition(s, [&](int64_t d, int64_t h, int64_t w) {
        const float gradient = dy[d * s.y.at[0] + h * s.y.at[1] + w * s.y.at[2]];
        kernels::ForEachTap(s, d, h, w, [&](int64_t tap, int64_t offset) {
          for (int64_t c = 0; c < group_in; ++c)
            dw[tap * state.w_tap + c * state.w_in] += gradient * x[offset + c * s.x.channel];
        });
      });
    }
  }
}

Status PrepareWeightGrad(PrepareContext& context) {
  if (context.dtype(0) != DType::kF32) return Unsupported("pare computes it in f32");
  PARE_ASSIGN(const ConvGeometry conv, ReadWeightGrad(context));
  if (Count(conv.weights) == 0) return {};
  if (IsImage(conv) && conv.layout.channels_last) {
    AddWeightGradSteps(context, ImageShape(conv), 0, 1);
    return {};
  }
  context.AddStep({.run = RunPlain,
                   .state = context.State(PlainArgs<float, float>(conv)),
                   .tasks = conv.y.channels,
                   .kernel = "conv_grad_f32_plain"});
  return {};
}

Cost CostOfWeightGrad(const NodeView& view) {
  const Dims weights = view.output(0).dims();
  return {.macs = Work({CountIfKnown(view.input(1)), CountIfKnown(view.output(0)) / weights[0]})};
}

}  // namespace

extern constinit const OpDef kConvWeightGrad{.name = "pare.ConvWeightGrad",
                                             .inputs = {{{"x"}, {"dy"}}},
                                             .outputs = {{{"dw"}}},
                                             .infer = InferWeightGrad,
                                             .prepare = PrepareWeightGrad,
                                             .grad = kSecondOrder,
                                             .quant = {.keep_float = "gradients are float"},
                                             .channels = kOfTraining,
                                             .cost = CostOfWeightGrad,
                                             .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
