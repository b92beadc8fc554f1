// InstanceNormalization and GroupNormalization: each image's channels, alone or in groups, are
// given mean 0 and variance 1, then y = · scale + bias by channel.
//
// Three steps: mean and variance of every channel of every image; from those the scale and shift of
// each; x · scale + shift.
#include <cmath>

#include "ops/channels.h"
#include "ops/grad.h"
#include "ops/norm.h"

namespace pare::ops {
namespace {

Status InferGroupNorm(InferContext& context) {
  if (const graph::Shape* x = context.shape(0); x && x->size() < 3) {
    return Invalid("its input has less than three dimensions");
  }
  context.set_output(0, context.input(0));
  return {};
}

struct GroupState {
  kernels::MomentsArgs moments;
  const kernels::NormKernel* kernel = nullptr;
  int64_t images, channels, groups;
  float epsilon;
  int scale_temp, shift_temp;  // they hold mean and variance first
};

void RunMoments(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const GroupState*>(step.state);
  kernels::MomentsArgs args = state.moments;
  args.x = step.in<float>(0);
  args.mean = static_cast<float*>(step.temps[state.scale_temp]);
  args.variance = static_cast<float*>(step.temps[state.shift_temp]);
  state.kernel->moments(args, step.begin, step.end);
}

// A task is an image.
void RunCombine(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const GroupState*>(step.state);
  const int64_t size = state.channels / state.groups;
  const float* weight = step.in<float>(1);
  const float* bias = step.in<float>(2);
  for (int64_t image = step.begin; image < step.end; ++image) {
    float* scale = static_cast<float*>(step.temps[state.scale_temp]) + image * state.channels;
    float* shift = static_cast<float*>(step.temps[state.shift_temp]) + image * state.channels;
    for (int64_t first = 0; first < state.channels; first += size) {
      double mean = 0, variance = 0;
      for (int64_t c = first; c < first + size; ++c) mean += double{scale[c]};
      mean /= static_cast<double>(size);
      for (int64_t c = first; c < first + size; ++c) {
        variance += double{shift[c]} + (double{scale[c]} - mean) * (double{scale[c]} - mean);
      }
      const double inverse = 1.0 / std::sqrt(variance / static_cast<double>(size) + state.epsilon);
      for (int64_t c = first; c < first + size; ++c) {
        scale[c] = static_cast<float>(double{weight[c]} * inverse);
        shift[c] = static_cast<float>(double{bias[c]} - mean * double{weight[c]} * inverse);
      }
    }
  }
}

Status Prepare(PrepareContext& context, int64_t groups) {
  PARE_TRY(RequireF32(context));
  const ChannelView view = ViewChannels(context.shape(0), LayoutOf(context));
  if (groups == 0) groups = view.channels;
  if (groups < 1 || view.channels % groups != 0) {
    return Invalid(Text("num_groups is ", groups, " with ", view.channels, " channels"));
  }
  for (int i : {1, 2}) {
    if (context.shape(i) != Dims{view.channels}) {
      return Invalid(Text("an input has the shape ", DimsText(context.shape(i)), " instead of [",
                          view.channels, "]"));
    }
  }
  if (view.images * view.pixels * view.channels == 0) return {};
  const auto* row = kernels::FindNorm(context.cpu());
  GroupState made{.moments = {},
                  .kernel = row->functions,
                  .images = view.images,
                  .channels = view.channels,
                  .groups = groups,
                  .epsilon = context.attrs().f("epsilon", 1e-5f),
                  .scale_temp = -1,
                  .shift_temp = -1};
  made.moments.outer = view.channels_last ? view.images : view.images * view.channels;
  made.moments.n = view.pixels;
  made.moments.inner = view.channels_last ? view.channels : 1;
  const size_t bytes = static_cast<size_t>(view.images * view.channels) * sizeof(float);
  made.scale_temp = context.Temp(bytes);
  made.shift_temp = context.Temp(bytes);
  auto* state = context.State(made);
  context.AddStep(
      {.run = RunMoments,
       .state = state,
       .tasks = made.kernel->moments_tasks(made.moments.outer, made.moments.n, made.moments.inner),
       .kernel = row->name});
  context.AddStep(
      {.run = RunCombine, .state = state, .tasks = view.images, .kernel = "groupnorm_f32_combine"});
  AddAffineStep(context, view, made.scale_temp, made.shift_temp, true);
  return {};
}

Status PrepareInstanceNorm(PrepareContext& context) { return Prepare(context, 0); }
Status PrepareGroupNorm(PrepareContext& context) {
  const int64_t groups = context.attrs().i("num_groups", 0);
  if (groups < 1) return Invalid(Text("num_groups is ", groups));
  return Prepare(context, groups);
}

constexpr std::string_view kWhy = "its mean and variance need more than 8 bits";

// With groups as an axis of their own. Of n = (x − mean) / √(variance + ε):
//   dx = (dn − mean(dn) − n · mean(dn · n)) / √(variance + ε)
Status GradGroups(GradContext& g, int64_t groups) {
  const ChannelView view = ViewChannels(g.in_shape(0), LayoutOf(g));
  const int64_t images = view.images, pixels = view.pixels, size = view.channels / groups;
  const bool last = view.channels_last;
  const Dims shape = last ? Dims{images, pixels, groups, size} : Dims{images, groups, size, pixels};
  const Dims beside = last ? Dims{1, 1, groups, size} : Dims{1, groups, size, 1};
  const std::vector<int64_t> axes{last ? 1 : 2, 3};
  const Var x = Reshape(g.in(0), shape), dy = Reshape(g.dy(), shape);
  const Var centred = x - ReduceMean(x, axes);
  const Var variance = ReduceMean(centred * centred, axes);
  const Var inverse = 1.0f / Sqrt(variance + g.attrs().f("epsilon", 1e-5f));
  const Var n = centred * inverse;
  const Var dn = dy * Reshape(g.in(1), beside);
  const Var dx = inverse * (dn - ReduceMean(dn, axes) - n * ReduceMean(dn * n, axes));
  g.gives(0, Reshape(dx, g.in_shape(0)));
  if (g.wants(1)) g.gives(1, Reshape(SumTo(dy * n, beside), {view.channels}));
  if (g.wants(2)) g.gives(2, Reshape(SumTo(dy, beside), {view.channels}));
  return {};
}
Status GradInstanceNorm(GradContext& g) {
  return GradGroups(g, ViewChannels(g.in_shape(0), LayoutOf(g)).channels);
}
Status GradGroupNorm(GradContext& g) { return GradGroups(g, g.attrs().i("num_groups", 0)); }

// A group of channels shares its statistics: it goes as a whole, which leaves the others alone.
void TieGroupNorm(ChannelContext& c) {
  const int64_t groups = c.attrs().i("num_groups", 0), channels = c.size(In(0, 1));
  if (groups < 1 || channels < 1 || channels % groups != 0) return;
  c.Tie(In(0, 0), Out(0));
  c.Tie(In(0, 1), Out(1));
  c.Tie(In(1, 0), Out(1));
  c.Tie(In(2, 0), Out(1));
  c.TieBlocks(In(0, 1), channels / groups);
}

Status EditGroupNorm(ChannelEdit& e) {
  const int64_t each = e.old_size(In(0, 1)) / e.attrs().i("num_groups", 1);
  e.SetAttr("num_groups", e.new_size(In(0, 1)) / each);
  return {};
}

}  // namespace

extern constinit const OpDef kInstanceNormalization{
    .name = "InstanceNormalization",
    .inputs = {{{"x"}, {"scale"}, {"bias"}}},
    .outputs = {{{"y"}}},
    .infer = InferGroupNorm,
    .prepare = PrepareInstanceNorm,
    .grad = {.emit = GradInstanceNorm, .parameters = Inputs({1, 2})},
    .quant = {.keep_float = kWhy},
    .channels = {.axes = "nc*,c,c->nc*"},
    .cost = PerElement<8>,
    .accuracy = Accuracy::kRounding};

extern constinit const OpDef kGroupNormalization{
    .name = "GroupNormalization",
    .inputs = {{{"x"}, {"scale"}, {"bias"}}},
    .outputs = {{{"y"}}},
    .infer = InferGroupNorm,
    .prepare = PrepareGroupNorm,
    .grad = {.emit = GradGroupNorm, .parameters = Inputs({1, 2})},
    .quant = {.keep_float = kWhy},
    .channels = {.tie = TieGroupNorm, .edit = EditGroupNorm},
    .cost = PerElement<8>,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
