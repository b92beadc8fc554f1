// Gradients of pooling by its input: each element of dy goes back into its window.
//
//   pare.MaxPoolGrad      x, dy → dx: to the first of the largest elements
//   pare.AveragePoolGrad  dy → dx of the attribute `shape`: to all elements, divided by their
//   number
//                         unless `sum` is set
//
// Both take the attributes of the pooling, kernel_shape always.
#include <algorithm>

#include "kernels/plain/poolnd.h"
#include "ops/channels.h"
#include "ops/conv.h"
#include "ops/pool.h"

namespace pare::ops {
namespace {

Status InferMaxPoolGrad(InferContext& context) {
  context.set_output(0, context.input(0));
  return {};
}

Status InferAveragePoolGrad(InferContext& context) {
  context.set_output(0, context.dtype(0), graph::ToShape(context.attrs().ints("shape")));
  return {};
}

struct GradState {
  kernels::WindowShape shape;
  bool count_include_pad = false, sum = false;
};

void ClearChannel(const kernels::WindowShape& s, float* dx) {
  for (int64_t d = 0; d < s.in[0]; ++d)
    for (int64_t h = 0; h < s.in[1]; ++h)
      for (int64_t w = 0; w < s.in[2]; ++w) dx[d * s.x.at[0] + h * s.x.at[1] + w * s.x.at[2]] = 0;
}

// A task is one channel of one image: f(x offset, y offset, position) for each window of it.
template <typename F>
void ForEachWindow(const kernels::WindowShape& s, const StepArgs& args, F&& f) {
  for (int64_t task = args.begin; task < args.end; ++task) {
    ClearChannel(
        s, args.out<float>(0) + task / s.channels * s.x.batch + task % s.channels * s.x.channel);
    kernels::ForEachPooled(s, task, task + 1, f);
  }
}

void RunMax(const StepArgs& args) noexcept {
  const kernels::WindowShape& s = static_cast<const GradState*>(args.state)->shape;
  const float* x = args.in<float>(0);
  const float* dy = args.in<float>(1);
  ForEachWindow(s, args, [&](int64_t from, int64_t at, int64_t d, int64_t h, int64_t w) {
    int64_t best = -1;
    kernels::ForEachTap(s, d, h, w, [&](int64_t, int64_t offset) {
      if (best < 0 || x[from + offset] > x[best]) best = from + offset;
    });
    if (best >= 0) args.out<float>(0)[best] += dy[at];
  });
}

void RunAverage(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const GradState*>(args.state);
  const kernels::WindowShape& s = state.shape;
  const float* dy = args.in<float>(0);
  ForEachWindow(s, args, [&](int64_t from, int64_t at, int64_t d, int64_t h, int64_t w) {
    int64_t taps = 0;
    kernels::ForEachTap(s, d, h, w, [&](int64_t, int64_t) { ++taps; });
    if (state.count_include_pad) taps = kernels::PaddedTaps(s, d, h, w);
    const float share = state.sum ? dy[at] : dy[at] / static_cast<float>(taps);
    kernels::ForEachTap(
        s, d, h, w, [&](int64_t, int64_t offset) { args.out<float>(0)[from + offset] += share; });
  });
}

Status Prepare(PrepareContext& context, const Dims& dy, void (*run)(const StepArgs&) noexcept,
               std::string_view kernel) {
  if (context.dtype(0) != DType::kF32) return Unsupported("pare computes it in f32");
  const Layout layout = LayoutOf(context);
  const Dims shape = context.output_shape();
  const Image x = ImageOf(shape, layout), y = ImageOf(dy, layout);
  PARE_ASSIGN(const WindowAttrs attrs,
              ReadWindow(context.attrs(), static_cast<int>(shape.size()) - 2));
  const GradState state{.shape = PlainShape(x, y, ResolveWindow(attrs, x)),
                        .count_include_pad = context.attrs().i("count_include_pad", 0) != 0,
                        .sum = context.attrs().i("sum", 0) != 0};
  AddStepIfAny(
      context,
      {.run = run, .state = context.State(state), .tasks = x.batch * x.channels, .kernel = kernel});
  return {};
}

Status PrepareMaxPoolGrad(PrepareContext& context) {
  return Prepare(context, context.shape(1), RunMax, "maxpool_grad_f32_plain");
}
Status PrepareAveragePoolGrad(PrepareContext& context) {
  return Prepare(context, context.shape(0), RunAverage, "averagepool_grad_f32_plain");
}

}  // namespace

extern constinit const OpDef kMaxPoolGrad{.name = "pare.MaxPoolGrad",
                                          .inputs = {{{"x"}, {"dy"}}},
                                          .outputs = {{{"dx"}}},
                                          .infer = InferMaxPoolGrad,
                                          .prepare = PrepareMaxPoolGrad,
                                          .grad = kSecondOrder,
                                          .quant = {.keep_float = "gradients are float"},
                                          .channels = kOfTraining,
                                          .cost = PerElement<1>};

extern constinit const OpDef kAveragePoolGrad{.name = "pare.AveragePoolGrad",
                                              .inputs = {{{"dy"}}},
                                              .outputs = {{{"dx"}}},
                                              .infer = InferAveragePoolGrad,
                                              .prepare = PrepareAveragePoolGrad,
                                              .grad = kSecondOrder,
                                              .quant = {.keep_float = "gradients are float"},
                                              .channels = kOfTraining,
                                              .cost = PerElement<1>,
                                              .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
