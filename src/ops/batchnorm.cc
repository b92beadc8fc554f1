// BatchNormalization as it is used for inference: y = (x − mean) / √(var + eps) · scale + b, which
// is x · a + c with two numbers for each channel.
#include <cmath>

#include "ops/channels.h"
#include "ops/conv.h"
#include "ops/grad.h"
#include "ops/norm.h"

namespace pare::ops {

ChannelView ViewChannels(const Dims& shape, Layout layout) {
  const int rank = static_cast<int>(shape.size());
  ChannelView view{.images = shape[0], .channels_last = layout.channels_last};
  const int channel = layout.channel_axis(rank);
  view.channels = shape[channel];
  for (int i = 1; i < rank; ++i) view.pixels *= i == channel ? 1 : shape[i];
  return view;
}

Status RequireF32(const PrepareContext& context) {
  for (int i = 0; i < context.inputs(); ++i) {
    if (context.has_input(i) && context.dtype(i) != DType::kF32) {
      return Unsupported(
          Text("pare computes it in f32, but an input is ", DTypeName(context.dtype(i))));
    }
  }
  return {};
}

namespace {

struct AffineState {
  kernels::AffineArgs args;
  const kernels::NormKernel* kernel = nullptr;
  std::vector<float> scale{}, shift{};
  int scale_temp = -1, shift_temp = -1;
};

void RunAffine(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const AffineState*>(step.state);
  const auto vector = [&](int temp, const std::vector<float>& constant) {
    return temp < 0 ? constant.data() : static_cast<const float*>(step.temps[temp]);
  };
  kernels::AffineArgs args = state.args;
  args.x = step.in<float>(0);
  args.y = step.out<float>(0);
  args.scale = vector(state.scale_temp, state.scale);
  args.shift = vector(state.shift_temp, state.shift);
  state.kernel->affine(args, step.begin, step.end);
}

void AddStepOf(PrepareContext& context, const ChannelView& view, AffineState made) {
  if (view.images * view.pixels * view.channels == 0) return;
  const auto* row = kernels::FindNorm(context.cpu());
  made.kernel = row->functions;
  made.args.images = view.images;
  made.args.pixels = view.pixels;
  made.args.channels = view.channels;
  made.args.channels_last = view.channels_last;
  const int64_t tasks = made.kernel->affine_tasks(view.images, view.pixels, view.channels);
  context.AllowInPlace(0);
  context.AddStep({.run = RunAffine,
                   .state = context.State(std::move(made)),
                   .tasks = tasks,
                   .kernel = row->name});
}

}  // namespace

void AddAffineStep(PrepareContext& context, const ChannelView& view, int scale_temp, int shift_temp,
                   bool per_image) {
  AddStepOf(context, view,
            {.args = {.per_image = per_image}, .scale_temp = scale_temp, .shift_temp = shift_temp});
}

void AddAffineStep(PrepareContext& context, const ChannelView& view, std::vector<float> scale,
                   std::vector<float> shift) {
  AddStepOf(context, view, {.args = {}, .scale = std::move(scale), .shift = std::move(shift)});
}

namespace {

enum Input { kX, kScale, kBias, kMean, kVariance };

Status InferBatchNorm(InferContext& context) {
  if (const graph::Shape* x = context.shape(kX); x && x->size() < 2) {
    return Invalid("its input has less than two dimensions");
  }
  context.set_output(0, context.input(kX));
  return {};
}

struct FoldState {
  int64_t channels;
  float epsilon;
  int scale_temp, shift_temp;
};

void Fold(const FoldState& state, const float* scale, const float* bias, const float* mean,
          const float* variance, float* a, float* c) noexcept {
  for (int64_t i = 0; i < state.channels; ++i) {
    a[i] = scale[i] / std::sqrt(variance[i] + state.epsilon);
    c[i] = bias[i] - mean[i] * a[i];
  }
}

void RunFold(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const FoldState*>(args.state);
  Fold(state, args.in<float>(kScale), args.in<float>(kBias), args.in<float>(kMean),
       args.in<float>(kVariance), static_cast<float*>(args.temps[state.scale_temp]),
       static_cast<float*>(args.temps[state.shift_temp]));
}

Status PrepareBatchNorm(PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  for (int i = 1; i < context.outputs(); ++i) {
    if (context.has_output(i)) return Unsupported("its training form is not run by pare");
  }
  const ChannelView view = ViewChannels(context.shape(kX), LayoutOf(context));
  const float* vectors[5] = {};
  bool constant = true;
  for (int i = kScale; i <= kVariance; ++i) {
    if (CountOf(context.shape(i)).value() != view.channels) {
      return Invalid(Text("an input has the shape ", DimsText(context.shape(i)), " instead of [",
                          view.channels, "]"));
    }
    const Tensor* tensor = context.constant(i);
    constant = constant && tensor;
    if (tensor) vectors[i] = tensor->as<float>().data();
  }
  FoldState fold{.channels = view.channels,
                 .epsilon = context.attrs().f("epsilon", 1e-5f),
                 .scale_temp = -1,
                 .shift_temp = -1};
  if (constant) {
    std::vector<float> scale(view.channels), shift(view.channels);
    Fold(fold, vectors[kScale], vectors[kBias], vectors[kMean], vectors[kVariance], scale.data(),
         shift.data());
    AddAffineStep(context, view, std::move(scale), std::move(shift));
    return {};
  }
  const size_t bytes = static_cast<size_t>(view.channels) * sizeof(float);
  fold.scale_temp = context.Temp(bytes);
  fold.shift_temp = context.Temp(bytes);
  context.AddStep({.run = RunFold, .state = context.State(fold), .kernel = "batchnorm_f32_fold"});
  AddAffineStep(context, view, fold.scale_temp, fold.shift_temp, false);
  return {};
}

// Along the channels: [channels] as it stands against x.
Var BesideChannels(Var vector, const Layout& layout, int rank) {
  Dims shape(rank, 1);
  shape[layout.channel_axis(rank)] = vector.dims()[0];
  return Reshape(vector, shape);
}

// With its statistics as they are: y = (x − mean) · scale / √(variance + ε) + b.
Status GradBatchNorm(GradContext& g) {
  const Layout layout = LayoutOf(g);
  const int rank = g.input(kX).rank();
  const auto beside = [&](Var vector) { return BesideChannels(vector, layout, rank); };
  const Var inverse = 1.0f / Sqrt(g.in(kVariance) + g.attrs().f("epsilon", 1e-5f));
  const Var dy = g.dy();
  if (g.wants(kX)) g.gives(kX, dy * beside(g.in(kScale)*inverse));
  if (g.wants(kScale)) {
    const Var normalized = (g.in(kX)-beside(g.in(kMean))) * beside(inverse);
    g.gives(kScale, SumToChannels(layout, dy * normalized));
  }
  if (g.wants(kBias)) g.gives(kBias, SumToChannels(layout, dy));
  return {};
}

}  // namespace

extern constinit const OpDef kBatchNormalization{
    .name = "BatchNormalization",
    .inputs = {{{"x"}, {"scale"}, {"b"}, {"mean"}, {"variance"}}},
    .outputs = {{{"y"}}},
    .infer = InferBatchNorm,
    .prepare = PrepareBatchNorm,
    .grad = {.emit = GradBatchNorm, .parameters = Inputs({kScale, kBias})},
    .quant = {.keep_float = "it is folded into a convolution where it follows one"},
    .channels = {.axes = "nc*,c,c,c,c->nc*"},
    .cost = PerElement<8>,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
