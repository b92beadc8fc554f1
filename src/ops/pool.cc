// MaxPool, AveragePool, LpPool and their global forms, whose window is the whole picture.
#include "ops/pool.h"

#include <limits>

#include "kernels/plain/poolnd.h"
#include "kernels/pool/pool.h"
#include "ops/conv.h"

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
    if (CanPoolBytes(pool, false)) return PrepareBytePool(context, pool, BytePool::kMax, false);
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

}  // namespace

extern constinit const OpDef kMaxPool{.name = "MaxPool",
                                      .inputs = {{{"x"}}},
                                      .outputs = {{{"y"}, {"indices", Presence::kOptional}}},
                                      .infer = InferPool,
                                      .prepare = PrepareMaxPool,
                                      .quant = kSameScale,
                                      .cost = CostOfPool};

extern constinit const OpDef kAveragePool{.name = "AveragePool",
                                          .inputs = {{{"x"}}},
                                          .outputs = {{{"y"}}},
                                          .infer = InferPool,
                                          .prepare = PrepareAveragePool,
                                          .quant = kInteger,
                                          .cost = CostOfPool,
                                          .accuracy = Accuracy::kRounding};

extern constinit const OpDef kLpPool{.name = "LpPool",
                                     .inputs = {{{"x"}}},
                                     .outputs = {{{"y"}}},
                                     .infer = InferPool,
                                     .prepare = PrepareLpPool,
                                     .quant = kFloat,
                                     .cost = CostOfPool,
                                     .accuracy = Accuracy::kApproximate};

extern constinit const OpDef kGlobalMaxPool{.name = "GlobalMaxPool",
                                            .inputs = {{{"x"}}},
                                            .outputs = {{{"y"}}},
                                            .infer = InferGlobalPool,
                                            .prepare = PrepareGlobalMaxPool,
                                            .quant = kSameScale,
                                            .cost = CostOfGlobalPool};

extern constinit const OpDef kGlobalAveragePool{.name = "GlobalAveragePool",
                                                .inputs = {{{"x"}}},
                                                .outputs = {{{"y"}}},
                                                .infer = InferGlobalPool,
                                                .prepare = PrepareGlobalAveragePool,
                                                .quant = kInteger,
                                                .cost = CostOfGlobalPool,
                                                .accuracy = Accuracy::kRounding};

extern constinit const OpDef kGlobalLpPool{.name = "GlobalLpPool",
                                           .inputs = {{{"x"}}},
                                           .outputs = {{{"y"}}},
                                           .infer = InferGlobalPool,
                                           .prepare = PrepareGlobalLpPool,
                                           .quant = kFloat,
                                           .cost = CostOfGlobalPool,
                                           .accuracy = Accuracy::kApproximate};

}  // namespace pare::ops
