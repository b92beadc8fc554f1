#include "ops/window.h"

#include <algorithm>

namespace pare::ops {

using graph::Dim;
using graph::Shape;

Layout LayoutOf(const NodeView& view) {
  const bool integer = view.node().op.starts_with("pare.Q");
  return {integer || view.attrs().i("channels_last", 0) != 0};
}

Image ImageOf(const Dims& shape, Layout layout) {
  const int rank = static_cast<int>(shape.size());
  std::vector<int64_t> strides(rank, 1);
  for (int i = rank - 2; i >= 0; --i) strides[i] = strides[i + 1] * shape[i + 1];
  const int channel = layout.channel_axis(rank), spatial = rank - 2;
  Image image{.batch = shape[0],
              .channels = shape[channel],
              .batch_stride = strides[0],
              .channel_stride = strides[channel]};
  for (int i = 0; i < spatial; ++i) {
    const int axis = layout.spatial_axis(i), to = kMaxSpatial - spatial + i;
    image.size[to] = shape[axis];
    image.stride[to] = strides[axis];
  }
  return image;
}

Result<int> SpatialDims(const Shape& shape) {
  const int rank = static_cast<int>(shape.size());
  if (rank < 3 || rank > 2 + kMaxSpatial) {
    return Unsupported(Text("its input has ", rank, " dimensions; pare runs 3 to 5"));
  }
  return rank - 2;
}

Status CheckExtent(int64_t size) {
  if (size <= int64_t{1} << 32) return {};
  return Unsupported(Text("a dimension of ", size, " is too large for pare"));
}

namespace {

Status CheckList(const graph::Ints& list, size_t size, int64_t least, std::string_view name) {
  if (list.size() != size) {
    return Invalid(Text(name, " has ", list.size(), " elements instead of ", size));
  }
  // Extents are products of these; a file that asks for more is damaged.
  constexpr int64_t kMost = int64_t{1} << 24;
  for (int64_t x : list) {
    if (x < least || x > kMost) return Invalid(Text(name, " holds ", x));
  }
  return {};
}

// Padding that makes the output as large as ceil(in / stride).
int64_t SamePadding(const WindowAttrs& window, int i, int64_t in) {
  const int64_t out = (in + window.strides[i] - 1) / window.strides[i];
  return std::max(int64_t{0}, (out - 1) * window.strides[i] + window.extent(i) - in);
}

bool IsSame(const WindowAttrs& window) { return window.auto_pad.starts_with("SAME_"); }

}  // namespace

Result<WindowAttrs> ReadWindow(const graph::Attrs& attrs, int spatial, graph::Ints kernel) {
  const size_t n = static_cast<size_t>(spatial);
  WindowAttrs window{.kernel = attrs.ints("kernel_shape", std::move(kernel)),
                     .strides = attrs.ints("strides", graph::Ints(n, 1)),
                     .dilations = attrs.ints("dilations", graph::Ints(n, 1)),
                     .pads = attrs.ints("pads", graph::Ints(2 * n, 0)),
                     .auto_pad = attrs.s("auto_pad", "NOTSET"),
                     .ceil_mode = attrs.i("ceil_mode", 0) != 0};
  if (window.auto_pad.empty()) window.auto_pad = "NOTSET";
  PARE_TRY(CheckList(window.kernel, n, 1, "kernel_shape"));
  PARE_TRY(CheckList(window.strides, n, 1, "strides"));
  PARE_TRY(CheckList(window.dilations, n, 1, "dilations"));
  PARE_TRY(CheckList(window.pads, 2 * n, 0, "pads"));
  if (window.auto_pad == "VALID") window.pads.assign(2 * n, 0);
  if (window.auto_pad != "NOTSET" && window.auto_pad != "VALID" &&
      window.auto_pad != "SAME_UPPER" && window.auto_pad != "SAME_LOWER") {
    return Invalid(Text("auto_pad is \"", window.auto_pad, "\""));
  }
  return window;
}

Result<Dim> WindowExtent(const WindowAttrs& window, int i, Dim in) {
  const int64_t stride = window.strides[i], extent = window.extent(i);
  const int64_t begin = window.pads[i], end = window.pads[i + window.kernel.size()];
  if (!in.known()) {
    const bool keeps = stride == 1 && (IsSame(window) || begin + end == extent - 1);
    return keeps ? in : Dim::Unknown();
  }
  PARE_TRY(CheckExtent(in.size()));
  if (IsSame(window)) return Dim((in.size() + stride - 1) / stride);
  const int64_t room = in.size() + begin + end - extent;
  if (room < 0) {
    return Invalid(Text("its window of ", extent, " is larger than the padded input of ",
                        in.size() + begin + end));
  }
  int64_t out = room / stride + 1;
  // The last window of ceil_mode must begin inside the input or its padding before it.
  if (window.ceil_mode && room % stride != 0 && out * stride < in.size() + begin) ++out;
  return Dim(out);
}

Window ResolveWindow(const WindowAttrs& attrs, const Image& x) {
  Window window;
  const int spatial = static_cast<int>(attrs.kernel.size());
  for (int i = 0; i < spatial; ++i) {
    const int to = kMaxSpatial - spatial + i;
    window.kernel[to] = attrs.kernel[i];
    window.stride[to] = attrs.strides[i];
    window.dilation[to] = attrs.dilations[i];
    window.pad_begin[to] = attrs.pads[i];
    window.pad_end[to] = attrs.pads[i + spatial];
    if (IsSame(attrs)) {
      const int64_t total = SamePadding(attrs, i, x.size[to]);
      const bool upper = attrs.auto_pad == "SAME_UPPER";
      window.pad_begin[to] = upper ? total / 2 : total - total / 2;
      window.pad_end[to] = total - window.pad_begin[to];
    }
  }
  return window;
}

Status InferWindowed(InferContext& context, const WindowAttrs& window, Dim channels) {
  const Shape& x = *context.shape(0);
  const Layout layout = LayoutOf(context);
  Shape y(x.size());
  y[0] = x[0];
  y[layout.channel_axis(static_cast<int>(x.size()))] = channels;
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    const int axis = layout.spatial_axis(static_cast<int>(i));
    PARE_ASSIGN(y[axis], WindowExtent(window, static_cast<int>(i), x[axis]));
  }
  context.set_output(0, context.dtype(0), std::move(y));
  return {};
}

}  // namespace pare::ops
