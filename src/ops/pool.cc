// MaxPool, AveragePool, LpPool and their global forms, whose window is the whole picture.
#include "ops/pool.h"

#include <algorithm>
#include <limits>

#include "kernels/plain/poolnd.h"
#include "kernels/pool/pool.h"
#include "ops/channels.h"
#include "ops/conv.h"
#include "ops/grad.h"

namespace pare::ops {

using graph::Dim;
using graph::Shape;

Status InferPool(InferContext& context) {
  const Shape* x = context.shape(0);
  if (!x) {
    context.set_output(0, context.dtype(0));
    context.set_output(1, DType::kI64);
    return {};
  }
  PARE_ASSIGN(const int spatial, SpatialDims(*x));
  PARE_ASSIGN(const WindowAttrs window, ReadWindow(context.attrs(), spatial));
  const int channel = LayoutOf(context).channel_axis(spatial + 2);
  PARE_TRY(InferWindowed(context, window, (*x)[channel]));
  context.set_output(1, DType::kI64, *context.output(0).shape);
  return {};
}

Status InferGlobalPool(InferContext& context) {
  const Shape* x = context.shape(0);
  if (!x) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  PARE_TRY(SpatialDims(*x));
  const int rank = static_cast<int>(x->size());
  Shape y(x->size(), Dim(1));
  y[0] = (*x)[0];
  const int channel = LayoutOf(context).channel_axis(rank);
  y[channel] = (*x)[channel];
  context.set_output(0, context.dtype(0), std::move(y));
  return {};
}

Result<PoolGeometry> ReadPool(const NodeView& view, bool global) {
  PoolGeometry pool;
  pool.layout = LayoutOf(view);
  pool.x = ImageOf(view.input(0).dims(), pool.layout);
  pool.y = ImageOf(view.output(0).dims(), pool.layout);
  if (global) {
    pool.window.kernel = pool.x.size;
    return pool;
  }
  PARE_ASSIGN(const WindowAttrs attrs, ReadWindow(view.attrs(), view.input(0).rank() - 2));
  pool.window = ResolveWindow(attrs, pool.x);
  return pool;
}

Cost CostOfPool(const NodeView& view) {
  int64_t flops = OutputCount(view);
  for (int64_t k : view.attrs().ints("kernel_shape")) flops = Work({flops, k});
  return {.flops = flops};
}

Cost CostOfGlobalPool(const NodeView& view) { return {.flops = CountIfKnown(view.input(0))}; }

namespace {

struct PoolState {
  kernels::WindowShape shape;
  bool count_include_pad = false;
  bool indices = false;
  int64_t p = 2;
};

template <typename T>
void RunMax(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const PoolState*>(args.state);
  constexpr T kLowest = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                             : std::numeric_limits<T>::lowest();
  kernels::MaxPoolNd<T>(state.shape, kLowest, args.in<T>(0), args.out<T>(0),
                        state.indices ? args.out<int64_t>(1) : nullptr, args.begin, args.end);
}

void RunAverage(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const PoolState*>(args.state);
  kernels::AveragePoolNd(state.shape, state.count_include_pad, args.in<float>(0),
                         args.out<float>(0), args.begin, args.end);
}

void RunLp(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const PoolState*>(args.state);
  kernels::LpPoolNd(state.shape, state.p, args.in<float>(0), args.out<float>(0), args.begin,
                    args.end);
}

Status PreparePlain(PrepareContext& context, bool global, void (*run)(const StepArgs&) noexcept,
                    std::string_view kernel) {
  PARE_ASSIGN(const PoolGeometry pool, ReadPool(context, global));
  auto* state =
      context.State(PoolState{.shape = PlainShape(pool.x, pool.y, pool.window),
                              .count_include_pad = context.attrs().i("count_include_pad", 0) != 0,
                              .indices = context.has_output(1),
                              .p = context.attrs().i("p", 2)});
  context.AddStep(
      {.run = run, .state = state, .tasks = pool.x.batch * pool.x.channels, .kernel = kernel});
  return {};
}

struct ImageState {
  kernels::PoolShape shape;
  const kernels::PoolKernel* kernel;
};

void RunImage(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ImageState*>(args.state);
  state.kernel->run({.shape = state.shape, .x = args.in<float>(0), .y = args.out<float>(0)},
                    args.begin, args.end);
}

// f32 images of one or two dimensions with channels last.
bool IsImage(const PrepareContext& context) {
  return context.dtype(0) == DType::kF32 && LayoutOf(context).channels_last &&
         context.shape(0).size() <= 4;
}

Status PrepareImage(PrepareContext& context, bool global, bool max) {
  PARE_ASSIGN(const PoolGeometry pool, ReadPool(context, global));
  auto shape = PoolImageShape<kernels::PoolShape>(pool);
  shape.pad_bottom = pool.window.pad_end[1];
  shape.pad_right = pool.window.pad_end[2];
  shape.in_stride = shape.out_stride = pool.x.channels;
  shape.max = max;
  shape.count_padding = context.attrs().i("count_include_pad", 0) != 0;
  if (shape.tasks() * shape.out_w * shape.channels == 0) return {};
  const auto* row = kernels::FindPool(context.cpu(), shape);
  context.AddStep({.run = RunImage,
                   .state = context.State(ImageState{shape, row->functions}),
                   .tasks = shape.tasks(),
                   .kernel = row->name});
  return {};
}

Status PrepareMax(PrepareContext& context, bool global) {
  if (context.has_output(1)) {
    if (LayoutOf(context).channels_last || context.attrs().i("storage_order", 0) != 0) {
      return Unsupported("pare gives the Indices of MaxPool in row-major N,C,… order only");
    }
  }
  if (context.dtype(0) == DType::kU8 && !context.has_output(1)) {
    PARE_ASSIGN(const PoolGeometry pool, ReadPool(context, global));
    if (CanPoolBytes(pool)) return PrepareBytePool(context, pool, BytePool::kMax);
  }
  if (IsImage(context)) return PrepareImage(context, global, true);
  switch (context.dtype(0)) {
    case DType::kF32:
      return PreparePlain(context, global, RunMax<float>, "maxpool_f32_plain");
    case DType::kF64:
      return PreparePlain(context, global, RunMax<double>, "maxpool_f64_plain");
    case DType::kU8:
      return PreparePlain(context, global, RunMax<uint8_t>, "maxpool_u8_plain");
    case DType::kI8:
      return PreparePlain(context, global, RunMax<int8_t>, "maxpool_s8_plain");
    default:
      return Unsupported(Text("pare has no MaxPool of ", DTypeName(context.dtype(0))));
  }
}

Status RequireF32(const PrepareContext& context) {
  if (context.dtype(0) == DType::kF32) return {};
  return Unsupported(Text("pare pools f32, not ", DTypeName(context.dtype(0))));
}

Status PrepareMaxPool(PrepareContext& context) { return PrepareMax(context, false); }
Status PrepareGlobalMaxPool(PrepareContext& context) { return PrepareMax(context, true); }
Status PrepareAveragePool(PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  if (IsImage(context)) return PrepareImage(context, false, false);
  return PreparePlain(context, false, RunAverage, "averagepool_f32_plain");
}
Status PrepareGlobalAveragePool(PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  if (IsImage(context)) return PrepareImage(context, true, false);
  return PreparePlain(context, true, RunAverage, "averagepool_f32_plain");
}
Status PrepareLpPool(PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  return PreparePlain(context, false, RunLp, "lppool_f32_plain");
}
Status PrepareGlobalLpPool(PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  return PreparePlain(context, true, RunLp, "lppool_f32_plain");
}

constexpr QuantRule kSameScale{.inputs = {{{Role::kActivation}}}, .same_scale = true};
constexpr QuantRule kInteger{.inputs = {{{Role::kActivation}}}, .integer = true};
constexpr QuantRule kFloat{.keep_float = "there is no integer form of a power mean"};

// The attributes of a pooling, with the window of a global one written out.
graph::Attrs WindowAttrsOf(const GradContext& g, bool global) {
  graph::Attrs attrs = g.attrs();
  if (!global) return attrs;
  const Dims x = g.in_shape(0);
  graph::Ints kernel;
  for (int i = 0; i + 2 < std::ssize(x); ++i) kernel.push_back(x[LayoutOf(g).spatial_axis(i)]);
  attrs.set("kernel_shape", kernel);
  return attrs;
}

template <bool kGlobal>
Status GradMaxPool(GradContext& g) {
  g.gives(0, g.emit().Add("pare.MaxPoolGrad", {g.in(0), g.dy()}, WindowAttrsOf(g, kGlobal)));
  return {};
}

Status GradAveragePool(GradContext& g) {
  graph::Attrs attrs = WindowAttrsOf(g, false);
  attrs.set("shape", graph::Ints(g.in_shape(0)));
  g.gives(0, g.emit().Add("pare.AveragePoolGrad", {g.dy()}, std::move(attrs)));
  return {};
}

Status GradGlobalAveragePool(GradContext& g) {
  const float each = static_cast<float>(Count(g.in_shape(0))) /
                     static_cast<float>(std::max<int64_t>(1, Count(g.out_shape())));
  g.gives(0, ExpandTo(g.dy() * (1.0f / each), g.in_shape(0)));
  return {};
}

// dx = sign(x) · |x|^(p − 1) · Σ dy / y^(p − 1) over the windows that x is in. Where y is 0, so are
// all its x.
template <bool kGlobal>
Status GradLpPool(GradContext& g) {
  const int64_t p = g.attrs().i("p", 2);
  const Var x = g.in(0), y = g.out(), zero = g.emit().Scalar(0);
  const auto power = [&](Var of) {
    return p == 2 ? of : g.emit().Add("Pow", {of, g.emit().Scalar(static_cast<float>(p - 1))});
  };
  Var back = p == 1 ? g.dy() : Where(Equal(y, zero), zero, g.dy() / power(y));
  if (!kGlobal) {
    graph::Attrs attrs = WindowAttrsOf(g, false);
    attrs.set("shape", graph::Ints(g.in_shape(0)));
    attrs.set("sum", int64_t{1});
    back = g.emit().Add("pare.AveragePoolGrad", {back}, std::move(attrs));
  }
  g.gives(0, back * (p == 1 ? Sign(x) : p == 2 ? x : Sign(x) * power(Abs(x))));
  return {};
}

}  // namespace

extern constinit const OpDef kMaxPool{.name = "MaxPool",
                                      .inputs = {{{"x"}}},
                                      .outputs = {{{"y"}, {"indices", Presence::kOptional}}},
                                      .infer = InferPool,
                                      .prepare = PrepareMaxPool,
                                      .grad = {.emit = GradMaxPool<false>},
                                      .quant = kSameScale,
                                      .channels = {.axes = "nc*->nc*"},
                                      .cost = CostOfPool};

extern constinit const OpDef kAveragePool{.name = "AveragePool",
                                          .inputs = {{{"x"}}},
                                          .outputs = {{{"y"}}},
                                          .infer = InferPool,
                                          .prepare = PrepareAveragePool,
                                          .grad = {.emit = GradAveragePool},
                                          .quant = kInteger,
                                          .channels = {.axes = "nc*->nc*"},
                                          .cost = CostOfPool,
                                          .accuracy = Accuracy::kRounding};

extern constinit const OpDef kLpPool{.name = "LpPool",
                                     .inputs = {{{"x"}}},
                                     .outputs = {{{"y"}}},
                                     .infer = InferPool,
                                     .prepare = PrepareLpPool,
                                     .grad = {.emit = GradLpPool<false>},
                                     .quant = kFloat,
                                     .channels = {.axes = "nc*->nc*"},
                                     .cost = CostOfPool,
                                     .accuracy = Accuracy::kApproximate};

extern constinit const OpDef kGlobalMaxPool{.name = "GlobalMaxPool",
                                            .inputs = {{{"x"}}},
                                            .outputs = {{{"y"}}},
                                            .infer = InferGlobalPool,
                                            .prepare = PrepareGlobalMaxPool,
                                            .grad = {.emit = GradMaxPool<true>},
                                            .quant = kSameScale,
                                            .channels = {.axes = "nc*->nc*"},
                                            .cost = CostOfGlobalPool};

extern constinit const OpDef kGlobalAveragePool{.name = "GlobalAveragePool",
                                                .inputs = {{{"x"}}},
                                                .outputs = {{{"y"}}},
                                                .infer = InferGlobalPool,
                                                .prepare = PrepareGlobalAveragePool,
                                                .grad = {.emit = GradGlobalAveragePool},
                                                .quant = kInteger,
                                                .channels = {.axes = "nc*->nc*"},
                                                .cost = CostOfGlobalPool,
                                                .accuracy = Accuracy::kRounding};

extern constinit const OpDef kGlobalLpPool{.name = "GlobalLpPool",
                                           .inputs = {{{"x"}}},
                                           .outputs = {{{"y"}}},
                                           .infer = InferGlobalPool,
                                           .prepare = PrepareGlobalLpPool,
                                           .grad = {.emit = GradLpPool<true>},
                                           .quant = kFloat,
                                           .channels = {.axes = "nc*->nc*"},
                                           .cost = CostOfGlobalPool,
                                           .accuracy = Accuracy::kApproximate};

}  // namespace pare::ops
