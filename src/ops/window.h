// How convolutions and pooling slide over their input: the attributes kernel_shape, strides, pads,
// dilations, auto_pad and ceil_mode, and where the channels lie.
#pragma once

#include <array>

#include "ops/node_view.h"

namespace pare::ops {

inline constexpr int kMaxSpatial = 3;
// Depth, height, width; the dimensions that a tensor lacks come first and are 1 (0 for pads).
using Spatial = std::array<int64_t, kMaxSpatial>;

// x and y of a spatial operator are N,C,spatial… or, with channels_last, N,spatial…,C. The integer
// operators (pare.Q…) have their channels last always.
struct Layout {
  bool channels_last = false;
  int channel_axis(int rank) const { return channels_last ? rank - 1 : 1; }
  int spatial_axis(int i) const { return channels_last ? i + 1 : i + 2; }
};
Layout LayoutOf(const NodeView& view);

// A tensor of rank 3…5 seen as batch × channels × three extents, and the distances between
// neighbours in elements.
struct Image {
  int64_t batch = 1, channels = 1;
  Spatial size{1, 1, 1};
  int64_t batch_stride = 0, channel_stride = 0;
  Spatial stride{};
  int64_t pixels() const { return size[0] * size[1] * size[2]; }
};
Image ImageOf(const Dims& shape, Layout layout);

// The attributes, filled up with their defaults: one entry for each spatial dimension.
struct WindowAttrs {
  graph::Ints kernel, strides, dilations, pads;  // pads: all begins, then all ends
  std::string auto_pad;
  bool ceil_mode = false;

  int64_t extent(int i) const { return dilations[i] * (kernel[i] - 1) + 1; }
};
// `kernel` is used where the attribute kernel_shape is absent. Fails for lists of a wrong length
// and for numbers that make no sense.
Result<WindowAttrs> ReadWindow(const graph::Attrs& attrs, int spatial, graph::Ints kernel = {});

// An error where arithmetic with the extent and a window could overflow.
Status CheckExtent(int64_t size);

// The output's extent along spatial dimension i; unknown where the input's is, unless the operator
// keeps it. An error where the window doesn't fit.
Result<graph::Dim> WindowExtent(const WindowAttrs& window, int i, graph::Dim in);

// A window over static extents, three-dimensional, with auto_pad resolved.
struct Window {
  Spatial kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1}, pad_begin{}, pad_end{};
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};
Window ResolveWindow(const WindowAttrs& attrs, const Image& x);

// What the shapes of all kernel families for images of one or two dimensions say alike; what else a
// shape has stays as it is by default.
template <typename Shape>
Shape WindowShapeOf(const Image& x, const Image& y, const Window& window) {
  return {.batch = x.batch,
          .in_h = x.size[1],
          .in_w = x.size[2],
          .out_h = y.size[1],
          .out_w = y.size[2],
          .kernel_h = window.kernel[1],
          .kernel_w = window.kernel[2],
          .stride_h = window.stride[1],
          .stride_w = window.stride[2],
          .dilation_h = window.dilation[1],
          .dilation_w = window.dilation[2],
          .pad_top = window.pad_begin[1],
          .pad_left = window.pad_begin[2]};
}

// What every operator with one window over input 0 infers: the input's batch, `channels`, and the
// extents of the window. The rank must be known.
Status InferWindowed(InferContext& context, const WindowAttrs& window, graph::Dim channels);
// The rank of input 0 less batch and channels; an error where pare has no such operator (1…3).
Result<int> SpatialDims(const graph::Shape& shape);

}  // namespace pare::ops
