// LRN, normalisation over neighbouring channels (AlexNet), and LpNormalization along an axis. Both
// are rare: plain loops.
#include <algorithm>
#include <cmath>

#include "ops/norm.h"

namespace pare::ops {
namespace {

Status InferSame(InferContext& context) {
  context.set_output(0, context.input(0));
  return {};
}

struct LrnState {
  int64_t channels, inner;  // x as [outer, channels, inner]
  int64_t size;
  float alpha, beta, bias;
};

// y = x / (bias + alpha / size · Σ x² over `size` channels around)^beta. A task is one line along
// the channels.
void RunLrn(const StepArgs& args) noexcept {
  const auto& s = *static_cast<const LrnState*>(args.state);
  for (int64_t task = args.begin; task < args.end; ++task) {
    const int64_t at = task / s.inner * s.channels * s.inner + task % s.inner;
    const float* x = args.in<float>(0) + at;
    float* y = args.out<float>(0) + at;
    for (int64_t c = 0; c < s.channels; ++c) {
      const int64_t first = std::max(int64_t{0}, c - (s.size - 1) / 2);
      const int64_t last = std::min(s.channels - 1, c + s.size / 2);
      float squares = 0;
      for (int64_t i = first; i <= last; ++i) squares += x[i * s.inner] * x[i * s.inner];
      const float base = s.bias + s.alpha / static_cast<float>(s.size) * squares;
      y[c * s.inner] = x[c * s.inner] / std::pow(base, s.beta);
    }
  }
}

Status PrepareLrn(PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  const Dims x = context.shape(0);
  if (x.size() < 3) return Invalid("its input has less than three dimensions");
  const int64_t size = context.attrs().i("size", 0);
  if (size < 1) return Invalid(Text("size is ", size));
  const ChannelView view = ViewChannels(x, LayoutOf(context));
  const LrnState state{.channels = view.channels,
                       .inner = view.channels_last ? 1 : view.pixels,
                       .size = size,
                       .alpha = context.attrs().f("alpha", 0.0001f),
                       .beta = context.attrs().f("beta", 0.75f),
                       .bias = context.attrs().f("bias", 1.0f)};
  context.AddStep({.run = RunLrn,
                   .state = context.State(state),
                   .tasks = view.images * view.pixels,
                   .kernel = "lrn_f32_plain"});
  return {};
}

struct LpState {
  int64_t n = 1, inner = 1, p = 2;
};

// y = x / ‖x‖ₚ; a line of zeros stays zero.
void RunLp(const StepArgs& args) noexcept {
  const auto& s = *static_cast<const LpState*>(args.state);
  for (int64_t task = args.begin; task < args.end; ++task) {
    const int64_t at = task / s.inner * s.n * s.inner + task % s.inner;
    const float* x = args.in<float>(0) + at;
    float* y = args.out<float>(0) + at;
    double sum = 0;
    for (int64_t i = 0; i < s.n; ++i) {
      const double v = x[i * s.inner];
      sum += s.p == 1 ? std::fabs(v) : v * v;
    }
    const double norm = s.p == 1 ? sum : std::sqrt(sum);
    for (int64_t i = 0; i < s.n; ++i) {
      y[i * s.inner] = norm == 0 ? 0.0f : static_cast<float>(double{x[i * s.inner]} / norm);
    }
  }
}

Status PrepareLp(PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  const Dims x = context.shape(0);
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", -1), static_cast<int>(x.size())));
  LpState state{.n = x[axis], .p = context.attrs().i("p", 2)};
  if (state.p != 1 && state.p != 2) return Invalid(Text("p is ", state.p));
  int64_t outer = 1;
  for (int i = 0; i < axis; ++i) outer *= x[i];
  for (size_t i = axis + 1; i < x.size(); ++i) state.inner *= x[i];
  context.AllowInPlace(0);
  context.AddStep({.run = RunLp,
                   .state = context.State(state),
                   .tasks = outer * state.inner,
                   .kernel = "lpnorm_f32_plain"});
  return {};
}

}  // namespace

extern constinit const OpDef kLrn{
    .name = "LRN",
    .inputs = {{{"x"}}},
    .outputs = {{{"y"}}},
    .infer = InferSame,
    .prepare = PrepareLrn,
    .quant = {.keep_float = "its sum of squares needs more than 8 bits"},
    .cost = PerElement<8>,
    .accuracy = Accuracy::kApproximate};

extern constinit const OpDef kLpNormalization{
    .name = "LpNormalization",
    .inputs = {{{"x"}}},
    .outputs = {{{"y"}}},
    .infer = InferSame,
    .prepare = PrepareLp,
    .quant = {.keep_float = "its norm needs more than 8 bits"},
    .cost = PerElement<8>,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
