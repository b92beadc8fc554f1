// Softmax, LogSoftmax and Hardmax along one axis.
#include "kernels/softmax/softmax.h"

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"

namespace pare::ops {
namespace {

Status InferSoftmax(InferContext& context) {
  if (const graph::Shape* x = context.shape(0)) {
    const int rank = static_cast<int>(x->size());
    if (rank > 0) PARE_TRY(NormalizeAxis(context.attrs().i("axis", -1), rank));
  }
  context.set_output(0, context.input(0));
  return {};
}

Result<kernels::SoftmaxShape> ShapeOf(const PrepareContext& context) {
  const Dims x = context.shape(0);
  kernels::SoftmaxShape shape;
  if (x.empty()) return shape;
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", -1), static_cast<int>(x.size())));
  for (int i = 0; i < axis; ++i) shape.outer *= x[i];
  shape.n = x[axis];
  for (size_t i = axis + 1; i < x.size(); ++i) shape.inner *= x[i];
  return shape;
}

struct SoftmaxState {
  kernels::SoftmaxShape shape;
  const kernels::SoftmaxKernel* kernel;
};

void RunSoftmax(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const SoftmaxState*>(args.state);
  state.kernel->run({.shape = state.shape, .x = args.in<float>(0), .y = args.out<float>(0)},
                    args.begin, args.end);
}

Status Prepare(PrepareContext& context, bool log) {
  if (context.dtype(0) != DType::kF32) {
    return Unsupported(Text("pare's softmax is f32, not ", DTypeName(context.dtype(0))));
  }
  PARE_ASSIGN(kernels::SoftmaxShape shape, ShapeOf(context));
  shape.log = log;
  if (shape.outer * shape.n * shape.inner == 0) return {};
  const auto* row = kernels::FindSoftmax(context.cpu(), shape);
  context.AllowInPlace(0);
  context.AddStep({.run = RunSoftmax,
                   .state = context.State(SoftmaxState{shape, row->functions}),
                   .tasks = row->functions->tasks(shape),
                   .kernel = row->name});
  return {};
}

Status PrepareSoftmax(PrepareContext& context) { return Prepare(context, false); }
Status PrepareLogSoftmax(PrepareContext& context) { return Prepare(context, true); }

// 1 where the first largest element stands, 0 elsewhere.
void RunHardmax(const StepArgs& args) noexcept {
  const auto& s = *static_cast<const kernels::SoftmaxShape*>(args.state);
  for (int64_t task = args.begin; task < args.end; ++task) {
    const int64_t at = task / s.inner * s.n * s.inner + task % s.inner;
    const float* x = args.in<float>(0) + at;
    float* y = args.out<float>(0) + at;
    int64_t best = 0;
    for (int64_t i = 1; i < s.n; ++i) best = x[i * s.inner] > x[best * s.inner] ? i : best;
    for (int64_t i = 0; i < s.n; ++i) y[i * s.inner] = i == best ? 1.0f : 0.0f;
  }
}

Status PrepareHardmax(PrepareContext& context) {
  if (context.dtype(0) != DType::kF32) {
    return Unsupported(Text("pare's Hardmax is f32, not ", DTypeName(context.dtype(0))));
  }
  PARE_ASSIGN(const kernels::SoftmaxShape shape, ShapeOf(context));
  if (shape.n == 0) return {};
  context.AddStep({.run = RunHardmax,
                   .state = context.State(shape),
                   .tasks = shape.outer * shape.inner,
                   .kernel = "hardmax_f32_plain"});
  return {};
}

// dx = y · (dy − Σ y·dy)
Status GradSoftmax(GradContext& context) {
  const int64_t axis = context.attrs().i("axis", -1);
  const Var y = context.out(), dy = context.dy();
  if (axis == -1 || axis == y.rank() - 1) {
    context.gives(0, context.emit().Add("pare.SoftmaxGrad", {y, dy}));
    return {};
  }
  context.gives(0, y * (dy - ReduceSum(y * dy, {axis})));
  return {};
}

// dx = dy − eʸ · Σ dy
Status GradLogSoftmax(GradContext& context) {
  const int64_t axis = context.attrs().i("axis", -1);
  const Var dy = context.dy();
  context.gives(0, dy - Exp(context.out()) * ReduceSum(dy, {axis}));
  return {};
}

}  // namespace

extern constinit const OpDef kSoftmax{
    .name = "Softmax",
    .inputs = {{{"x"}}},
    .outputs = {{{"y"}}},
    .infer = InferSoftmax,
    .prepare = PrepareSoftmax,
    .grad = {.emit = GradSoftmax},
    .quant = {.fixed_lo = 0,
              .fixed_hi = 1,
              .keep_float = "its output needs more than 8 bits near 0"},
    .channels = {.tie = TieAlongAxis<-1>},
    .cost = PerElement<8>,
    .accuracy = Accuracy::kApproximate};

extern constinit const OpDef kLogSoftmax{
    .name = "LogSoftmax",
    .inputs = {{{"x"}}},
    .outputs = {{{"y"}}},
    .infer = InferSoftmax,
    .prepare = PrepareLogSoftmax,
    .grad = {.emit = GradLogSoftmax},
    .quant = {.keep_float = "logarithms of small probabilities need more than 8 bits"},
    .channels = {.tie = TieAlongAxis<-1>},
    .cost = PerElement<8>,
    .accuracy = Accuracy::kApproximate};

extern constinit const OpDef kHardmax{.name = "Hardmax",
                                      .inputs = {{{"x"}}},
                                      .outputs = {{{"y"}}},
                                      .infer = InferSoftmax,
                                      .prepare = PrepareHardmax,
                                      .grad = kNoSlope,
                                      .quant = {.keep_float = "it is compared, not computed with"},
                                      .channels = {.tie = TieAlongAxis<-1>},
                                      .cost = PerElement<8>};

}  // namespace pare::ops
