// Resize: nearest, linear, cubic. Interpolation is separable: one step for each axis that changes.
// Nearest moves elements of any type in a single step.
//
// With channels_last x and y are N,spatial…,C while roi, scales, sizes and axes still speak of
// N,C,spatial…
#include "kernels/resize/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/resize_table.h"
#include "ops/window.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

enum Input { kX, kRoi, kScales, kSizes };

// Where axis i of N,C,spatial… lies.
int Place(Layout layout, int i, int rank) {
  if (!layout.channels_last || i == 0) return i;
  return i == 1 ? rank - 1 : i - 1;
}

bool IsThere(const NodeView& view, int i) {
  if (!view.has_input(i)) return false;
  const graph::TensorType& type = view.input(i);
  return !(type.shape && type.shape->size() == 1 && (*type.shape)[0] == Dim(0));  // as before 13
}

// The axes that scales and sizes speak of.
Result<std::vector<int>> ReadAxes(const NodeView& view, int rank) {
  std::vector<int> axes;
  const graph::Ints given = view.attrs().ints("axes");
  for (int64_t axis : given) {
    PARE_ASSIGN(const int at, NormalizeAxis(axis, rank, "axes"));
    axes.push_back(at);
  }
  for (int i = 0; given.empty() && i < rank; ++i) axes.push_back(i);
  return axes;
}

// The scale that keep_aspect_ratio_policy makes of the sizes asked for; 0 for "stretch".
Result<float> CommonScale(const NodeView& view, const std::vector<int>& axes, const Dims& x,
                          const std::vector<int64_t>& sizes, Layout layout) {
  if (sizes.size() != axes.size()) {
    return Invalid(Text("sizes has ", sizes.size(), " elements for ", axes.size(), " axes"));
  }
  const std::string policy = view.attrs().s("keep_aspect_ratio_policy", "stretch");
  if (policy == "stretch") return 0.0f;
  if (policy != "not_larger" && policy != "not_smaller") {
    return Invalid(Text("keep_aspect_ratio_policy is \"", policy, "\""));
  }
  float scale = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t in = x[Place(layout, axes[i], static_cast<int>(x.size()))];
    const float own = static_cast<float>(sizes[i]) / static_cast<float>(in);
    const bool take = i == 0 || (policy == "not_larger" ? own < scale : own > scale);
    if (take) scale = own;
  }
  return scale;
}

bool Sensible(float scale) { return scale > 0 && scale < 65536; }

Status InferFromScales(InferContext& context, const std::vector<int>& axes, Shape& y) {
  const Tensor* scales = context.constant(kScales);
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& dim = y[Place(LayoutOf(context), axes[i], static_cast<int>(y.size()))];
    if (!scales || scales->dtype() != DType::kF32) {
      dim = Dim::Unknown();
      continue;
    }
    if (scales->count() != std::ssize(axes)) {
      return Invalid(Text("scales has ", scales->count(), " elements for ", axes.size(), " axes"));
    }
    const float scale = scales->as<float>()[i];
    if (!Sensible(scale)) return Invalid(Text("a scale is ", double{scale}));
    if (scale == 1) continue;
    if (dim.known()) PARE_TRY(CheckExtent(dim.size()));
    dim = dim.known()
              ? Dim(static_cast<int64_t>(std::floor(static_cast<float>(dim.size()) * scale)))
              : Dim::Unknown();
  }
  return {};
}

Status InferFromSizes(InferContext& context, const std::vector<int>& axes, Shape& y) {
  const Layout layout = LayoutOf(context);
  const Shape* sizes = context.dims_value(kSizes);
  const int rank = static_cast<int>(y.size());
  if (sizes && sizes->size() != axes.size()) {
    return Invalid(Text("sizes has ", sizes->size(), " elements for ", axes.size(), " axes"));
  }
  float common = 0;
  const auto known = context.ints(kSizes);
  if (known && context.input(kX).is_static()) {
    PARE_ASSIGN(common, CommonScale(context, axes, context.input(kX).dims(), *known, layout));
  } else if (context.attrs().s("keep_aspect_ratio_policy", "stretch") != "stretch") {
    sizes = nullptr;
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& dim = y[Place(layout, axes[i], rank)];
    if (common > 0) {
      if (!Sensible(common)) return Invalid(Text("a scale is ", double{common}));
      PARE_TRY(CheckExtent(dim.size()));
      dim = static_cast<int64_t>(std::floor(common * static_cast<float>(dim.size()) + 0.5f));
    } else {
      dim = sizes ? (*sizes)[i] : Dim::Unknown();
    }
  }
  return {};
}

Status InferResize(InferContext& context) {
  const Shape* x = context.shape(kX);
  if (!x) {
    context.set_output(0, context.dtype(kX));
    return {};
  }
  PARE_ASSIGN(const std::vector<int> axes, ReadAxes(context, static_cast<int>(x->size())));
  Shape y = *x;
  if (IsThere(context, kSizes)) {
    PARE_TRY(InferFromSizes(context, axes, y));
  } else if (IsThere(context, kScales)) {
    PARE_TRY(InferFromScales(context, axes, y));
  } else {
    return Invalid("it has neither scales nor sizes");
  }
  context.set_output(0, context.dtype(kX), std::move(y));
  return {};
}

// The axes in the order in which they lie.
Result<std::vector<ResizeAxis>> ReadGeometry(const NodeView& context, const ResizeMode& mode,
                                             const Dims& x, const Dims& y) {
  const Layout layout = LayoutOf(context);
  const int rank = static_cast<int>(x.size());
  PARE_ASSIGN(const std::vector<int> axes, ReadAxes(context, rank));
  std::vector<ResizeAxis> all(x.size());
  for (int i = 0; i < rank; ++i) {
    if (x[i] == 0 && y[i] != 0) return Invalid("its input has no elements");
    all[i].in = x[i];
    all[i].out = y[i];
    all[i].scale = x[i] == 0 ? 1 : static_cast<float>(y[i]) / static_cast<float>(x[i]);
  }
  const Tensor* scales = IsThere(context, kScales) ? context.constant(kScales) : nullptr;
  if (scales && (scales->dtype() != DType::kF32 || scales->count() != std::ssize(axes))) {
    return Invalid("scales must be f32, one number for each axis");
  }
  float common = 0;
  if (IsThere(context, kSizes) && context.constant(kSizes)) {
    PARE_ASSIGN(const auto sizes, context.Ints(kSizes, "sizes"));
    PARE_ASSIGN(common, CommonScale(context, axes, x, sizes, layout));
    scales = nullptr;
  }
  const Tensor* roi = nullptr;
  if (mode.transform == "tf_crop_and_resize") {
    PARE_ASSIGN(roi, context.Constant(kRoi, "roi"));
    if (roi->dtype() != DType::kF32 || roi->count() != 2 * std::ssize(axes)) {
      return Invalid("roi must be f32, two numbers for each axis");
    }
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& axis = all[Place(layout, axes[i], rank)];
    if (scales) axis.scale = scales->as<float>()[i];
    if (common > 0) axis.scale = common;
    if (!roi) continue;
    axis.start = roi->as<float>()[i];
    axis.end = roi->as<float>()[axes.size() + i];
  }
  return all;
}

bool Changes(const ResizeAxis& axis) {
  return axis.in != axis.out || axis.scale != 1 || axis.start != 0 || axis.end != 1;
}

struct AxisState {
  kernels::ResizeShape shape;
  ResizeTable table;
  float outside;
  const kernels::ResizeKernel* kernel;
  int from_temp, to_temp;  // −1: x, y
};

void RunAxis(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const AxisState*>(args.state);
  const auto temp = [&](int i) { return static_cast<float*>(args.temps[i]); };
  state.kernel->run({.shape = state.shape,
                     .index = state.table.index.data(),
                     .weight = state.table.weight.data(),
                     .outside = state.outside,
                     .x = state.from_temp < 0 ? args.in<float>(kX) : temp(state.from_temp),
                     .y = state.to_temp < 0 ? args.out<float>(0) : temp(state.to_temp)},
                    args.begin, args.end);
}

// One axis after the other, each by the table that `make` gives for it. What shrinks comes first:
// the steps after it have less to do.
template <typename MakeTable>
Status PrepareInterpolation(PrepareContext& context, const std::vector<ResizeAxis>& axes,
                            float outside, MakeTable&& make) {
  Dims now = context.shape(kX);
  std::vector<size_t> changing;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (Changes(axes[i])) changing.push_back(i);
  }
  const Dims out = context.output_shape(), in = now;
  std::sort(changing.begin(), changing.end(), [&](size_t a, size_t b) {
    const int64_t left = out[a] * in[b], right = out[b] * in[a];
    return left != right ? left < right : a < b;
  });
  int from = -1;
  for (size_t step = 0; step < changing.size(); ++step) {
    const size_t at = changing[step];
    AxisState state{.shape = {.in = in[at], .out = out[at]},
                    .table = make(axes[at]),
                    .outside = outside,
                    .kernel = nullptr,
                    .from_temp = from,
                    .to_temp = -1};
    state.shape.taps = state.table.taps;
    for (size_t i = 0; i < now.size(); ++i) {
      if (i < at) state.shape.outer *= now[i];
      if (i > at) state.shape.inner *= now[i];
    }
    now[at] = out[at];
    PARE_ASSIGN(const int64_t count, CountOf(now));
    if (step + 1 < changing.size()) {
      state.to_temp = context.Temp(static_cast<size_t>(count) * sizeof(float));
    }
    from = state.to_temp;
    const auto* row = kernels::FindResize(context.cpu(), state.shape);
    state.kernel = row->functions;
    const int64_t tasks = state.shape.tasks();
    context.AddStep({.run = RunAxis,
                     .state = context.State(std::move(state)),
                     .tasks = tasks,
                     .kernel = row->name});
  }
  return {};
}

// Lines of `line_bytes`, along the axes behind the last that changes.
struct NearestState {
  Dims in, out;  // of the axes up to the last that changes
  std::vector<std::vector<int32_t>> index;
  size_t line_bytes = 0;
  int64_t lines = 1;
};
constexpr int64_t kBytesATask = 32768;

template <size_t kBytes>
void CopyLines(const NearestState& s, const std::byte* x, std::byte* y, int64_t base) noexcept {
  const size_t bytes = kBytes > 0 ? kBytes : s.line_bytes;
  const std::vector<int32_t>& last = s.index.back();
  for (size_t j = 0; j < last.size(); ++j) {
    std::memcpy(y + j * bytes, x + static_cast<size_t>(base + last[j]) * bytes, bytes);
  }
}

// A task is some rows: all lines along the last axis that changes.
int64_t RowsATask(const NearestState& s) {
  const int64_t row = s.out.back() * static_cast<int64_t>(s.line_bytes);
  return std::max(int64_t{1}, kBytesATask / std::max(int64_t{1}, row));
}

void RunNearest(const StepArgs& args) noexcept {
  const auto& s = *static_cast<const NearestState*>(args.state);
  const int64_t rows = s.lines / s.out.back(), step = RowsATask(s);
  const size_t row_bytes = static_cast<size_t>(s.out.back()) * s.line_bytes;
  const auto copy = s.line_bytes == 1   ? CopyLines<1>
                    : s.line_bytes == 4 ? CopyLines<4>
                                        : CopyLines<0>;
  for (int64_t row = args.begin * step; row < std::min(rows, args.end * step); ++row) {
    int64_t rest = row, base = 0, stride = s.in.back();
    for (size_t axis = s.out.size() - 1; axis-- > 0;) {
      base += s.index[axis][static_cast<size_t>(rest % s.out[axis])] * stride;
      rest /= s.out[axis];
      stride *= s.in[axis];
    }
    copy(s, args.in<std::byte>(kX), args.out<std::byte>(0) + static_cast<size_t>(row) * row_bytes,
         base);
  }
}

Status PrepareNearest(PrepareContext& context, const ResizeMode& mode,
                      const std::vector<ResizeAxis>& axes) {
  size_t end = axes.size();
  while (!Changes(axes[end - 1])) --end;
  NearestState state{.in = {}, .out = {}, .index = {}, .line_bytes = SizeOf(context.dtype(kX))};
  for (size_t i = 0; i < axes.size(); ++i) {
    if (i >= end) {
      state.line_bytes *= static_cast<size_t>(axes[i].in);
      continue;
    }
    ResizeTable table;
    if (Changes(axes[i])) {
      table = MakeResizeTable(mode, axes[i]);
      if (std::count(table.index.begin(), table.index.end(), -1) > 0) {
        return Unsupported("nearest with tf_crop_and_resize beyond the input");
      }
    } else {
      for (int64_t k = 0; k < axes[i].in; ++k) table.index.push_back(static_cast<int32_t>(k));
    }
    state.in.push_back(axes[i].in);
    state.out.push_back(axes[i].out);
    state.lines *= axes[i].out;
    state.index.push_back(std::move(table.index));
  }
  const int64_t tasks = kernels::CeilDiv(state.lines / state.out.back(), RowsATask(state));
  context.AddStep({.run = RunNearest,
                   .state = context.State(std::move(state)),
                   .tasks = tasks,
                   .kernel = "resize_nearest"});
  return {};
}

Status PrepareResize(PrepareContext& context) {
  PARE_ASSIGN(const ResizeMode mode, ReadResizeMode(context.attrs()));
  PARE_ASSIGN(const auto axes,
              ReadGeometry(context, mode, context.shape(kX), context.output_shape()));
  if (std::none_of(axes.begin(), axes.end(), Changes)) {
    context.Alias(kX);
    return {};
  }
  PARE_ASSIGN(const int64_t count, CountOf(context.output_shape()));
  if (count == 0) return {};
  if (mode.kind == ResizeMode::Kind::kNearest) return PrepareNearest(context, mode, axes);
  if (context.dtype(kX) != DType::kF32) {
    return Unsupported(Text("pare interpolates f32, not ", DTypeName(context.dtype(kX))));
  }
  return PrepareInterpolation(context, axes, context.attrs().f("extrapolation_value", 0.0f),
                              [&](const ResizeAxis& axis) { return MakeResizeTable(mode, axis); });
}

Status GradResize(GradContext& g) {
  graph::Attrs attrs = g.attrs();
  attrs.set("shape", graph::Ints(g.in_shape(kX)));
  g.gives(kX, g.emit().Add("pare.ResizeGrad", {g.dy(), g.in(kRoi), g.in(kScales), g.in(kSizes)},
                           std::move(attrs)));
  return {};
}

Status InferResizeGrad(InferContext& context) {
  context.set_output(0, context.dtype(0), graph::ToShape(context.attrs().ints("shape")));
  return {};
}

// Interpolation again, by the transposes of the tables.
Status PrepareResizeGrad(PrepareContext& context) {
  if (context.dtype(0) != DType::kF32) return Unsupported("pare computes it in f32");
  PARE_ASSIGN(const ResizeMode mode, ReadResizeMode(context.attrs()));
  PARE_ASSIGN(const auto axes,
              ReadGeometry(context, mode, context.output_shape(), context.shape(0)));
  if (std::none_of(axes.begin(), axes.end(), Changes)) {
    context.Alias(0);
    return {};
  }
  if (Count(context.output_shape()) == 0) return {};
  return PrepareInterpolation(context, axes, 0, [&](const ResizeAxis& axis) {
    return Transposed(MakeResizeTable(mode, axis), axis.in);
  });
}

Cost CostOfResize(const NodeView& view) { return {.flops = 4 * OutputCount(view)}; }

// Axes that keep their size keep their places, unless a region is cut out.
void TieResize(ChannelContext& c) {
  if (c.attrs().s("coordinate_transformation_mode") == "tf_crop_and_resize") return;
  for (int i = 0; i < c.rank(kX); ++i) c.Tie(In(kX, i), Out(i));
}

Status EditResize(ChannelEdit& e) {
  if (!e.constant(kSizes)) return {};
  PARE_ASSIGN(std::vector<int64_t> sizes, e.Ints(kSizes, "sizes"));
  const std::vector<int64_t> before = sizes;
  const graph::Ints axes = e.attrs().ints("axes");
  for (int i = 0; i < std::ssize(sizes); ++i) {
    PARE_ASSIGN(const int axis,
                NormalizeAxis(i < std::ssize(axes) ? axes[i] : i, e.output(0).rank()));
    if (e.kept(Out(axis))) sizes[i] = e.new_size(Out(axis));
  }
  return sizes == before ? Status() : e.SetInts(kSizes, "sizes", sizes);
}

}  // namespace

// The rule is that of nearest; with the other modes it stays float.
extern constinit const OpDef kResize{.name = "Resize",
                                     .inputs = {{{"x"},
                                                 {"roi", Presence::kOptional},
                                                 {"scales", Presence::kOptional},
                                                 {"sizes", Presence::kOptional}}},
                                     .outputs = {{{"y"}}},
                                     .infer = InferResize,
                                     .prepare = PrepareResize,
                                     .grad = {.emit = GradResize},
                                     .quant = kSameScaleRule,
                                     .channels = {.tie = TieResize, .edit = EditResize},
                                     .cost = CostOfResize,
                                     .accuracy = Accuracy::kRounding};

// Input 0 is dy; x has the attribute `shape`. Everything else is as Resize has it.
extern constinit const OpDef kResizeGrad{.name = "pare.ResizeGrad",
                                         .inputs = {{{"dy"},
                                                     {"roi", Presence::kOptional},
                                                     {"scales", Presence::kOptional},
                                                     {"sizes", Presence::kOptional}}},
                                         .outputs = {{{"dx"}}},
                                         .infer = InferResizeGrad,
                                         .prepare = PrepareResizeGrad,
                                         .grad = kSecondOrder,
                                         .quant = {.keep_float = "gradients are float"},
                                         .channels = kOfTraining,
                                         .cost = CostOfResize,
                                         .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
