// What the convolution records share.
#pragma once

#include "kernels/plain/convnd.h"
#include "ops/common.h"
#include "ops/emit.h"
#include "ops/window.h"

namespace pare::ops {

// Type and shape of y from x (input 0) and the weights (input `w`). Weights are [out_c, in_c/group,
// k…] or, with channels_last, [out_c, k…, in_c/group].
Status InferConvolution(InferContext& context, int w, DType output);

// A bias in `input`, where there is one and its shape is known, has one element a channel: kernels
// read so many.
Status CheckBias(const InferContext& context, int input, graph::Dim channels);

// Everything about a convolution whose types are static.
struct ConvGeometry {
  int spatial = 2;
  Layout layout;
  Image x, y;
  Window window;
  int64_t groups = 1;
  Dims weights;

  int64_t group_in() const { return x.channels / groups; }
  bool depthwise() const { return groups == x.channels && groups == y.channels; }
};
Result<ConvGeometry> ReadConvolution(const NodeView& view, int w);
// As kernels::ConvShape or kernels::QConvShape.
template <typename Shape>
Shape ConvImageShape(const ConvGeometry& conv) {
  auto shape = WindowShapeOf<Shape>(conv.x, conv.y, conv.window);
  shape.in_c = conv.x.channels;
  shape.out_c = conv.y.channels;
  shape.groups = conv.groups;
  return shape;
}
// The geometry as the plain loop takes it.
kernels::WindowShape PlainShape(const Image& x, const Image& y, const Window& window);
// Fills the shape and the weights' strides; pointers are set when it runs.
template <typename X, typename W>
kernels::ConvNdArgs<X, W> PlainArgs(const ConvGeometry& conv) {
  const int64_t taps = conv.window.taps(), group_in = conv.group_in();
  const bool last = conv.layout.channels_last;
  return {.shape = PlainShape(conv.x, conv.y, conv.window),
          .groups = conv.groups,
          .w_out = taps * group_in,
          .w_in = last ? 1 : taps,
          .w_tap = last ? group_in : 1};
}

// After channels have gone: a group for each, where there was one.
Status EditConvGroup(ChannelEdit& edit);

// The multiply-accumulates of a convolution with weights in input `w`; zero where types are not
// static.
Cost CostOfConvolution(const NodeView& view, int w);

// What the gradients of a convolution of window `conv` carry: strides, dilations, group, and the
// pads as they came out.
graph::Attrs ConvGradAttrs(const ConvGeometry& conv);
// dw = pare.ConvWeightGrad(x, dy): how a convolution of `x` with weights of shape `weights` that
// gave `dy` changes with them.
Var ConvWeightGrad(const ConvGeometry& conv, Var x, Var dy, const Dims& weights);
// The sum over all but the channels, as a bias gets it.
Var SumToChannels(const Layout& layout, Var dy);

// One or two dimensions: fast where the channels are last.
inline bool IsImage(const ConvGeometry& conv) { return conv.spatial <= 2; }
Status PrepareImageConv(PrepareContext& context, const ConvGeometry& conv);
// Conv in any layout and rank: the plain loop.
Status PreparePlainConv(PrepareContext& context, const ConvGeometry& conv);

// The same for given arguments of the plain loop; inputs: x, w, b?, residual?.
Status AddPlainConvStep(PrepareContext& context, const kernels::ConvNdArgs<float, float>& args,
                        std::string_view kernel);

}  // namespace pare::ops
