// LRN, normalisation over neighbouring channels (AlexNet), and LpNormalization along an axis. Both
// are rare: plain loops.
#include <algorithm>
#include <cmath>

#include "ops/channels.h"
#include "ops/grad.h"
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

// The matrix that sums over the channels around each channel.
Var ChannelWindows(Emitter& emit, int64_t channels, int64_t size) {
  std::vector<float> matrix(static_cast<size_t>(channels * channels));
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < channels; ++i) {
      matrix[c * channels + i] = i >= c - (size - 1) / 2 && i <= c + size / 2 ? 1.0f : 0.0f;
    }
  }
  return emit.Constant(Tensor::Of<float>({channels, channels}, matrix));
}

// y = x · s^(−β) with s = bias + α/size · W·x²:
//   dx = dy · s^(−β) − 2αβ/size · x · Wᵀ·(dy · x · s^(−β − 1))
Status GradLrn(GradContext& g) {
  const ChannelView view = ViewChannels(g.in_shape(0), LayoutOf(g));
  const int64_t size = g.attrs().i("size", 0);
  const float beta = g.attrs().f("beta", 0.75f);
  const float share = g.attrs().f("alpha", 0.0001f) / static_cast<float>(size);
  const Var windows = ChannelWindows(g.emit(), view.channels, size);
  const auto sum = [&](Var of, bool transposed) {
    const Var matrix = transposed != view.channels_last ? TransposeMatrix(windows) : windows;
    return view.channels_last ? MatMul(of, matrix) : MatMul(matrix, of);
  };
  const Dims shape = view.channels_last ? Dims{view.images, view.pixels, view.channels}
                                        : Dims{view.images, view.channels, view.pixels};
  const Var x = Reshape(g.in(0), shape), dy = Reshape(g.dy(), shape);
  const Var s = sum(x * x, false) * share + g.attrs().f("bias", 1.0f);
  const Var direct = dy * g.emit().Add("Pow", {s, g.emit().Scalar(-beta)});
  const Var around = sum(direct * x / s, true);
  g.gives(0, Reshape(direct - x * around * (2 * share * beta), g.in_shape(0)));
  return {};
}

// With r = 1/‖x‖ (0 for a line of zeros): dx = r · (dy − s · Σ y·dy), where s = ∂‖x‖/∂x is y, or
// sign x for p = 1.
Status GradLp(GradContext& g) {
  const std::vector<int64_t> axis{g.attrs().i("axis", -1)};
  const bool absolute = g.attrs().i("p", 2) == 1;
  const Var x = g.in(0), y = g.out(), dy = g.dy(), zero = g.emit().Scalar(0);
  const Var norm = absolute ? ReduceSum(Abs(x), axis) : Sqrt(ReduceSum(x * x, axis));
  const Var along = (absolute ? Sign(x) : y) * ReduceSum(y * dy, axis);
  g.gives(0, Where(Equal(norm, zero), zero, (dy - along) / norm));
  return {};
}

void TieNeighbours(ChannelContext& c) {
  for (int i = 0; i < c.rank(0); ++i) c.Tie(In(0, i), Out(i));
  c.Mix(In(0, 1), "normalises over neighbouring channels");
}

}  // namespace

extern constinit const OpDef kLrn{
    .name = "LRN",
    .inputs = {{{"x"}}},
    .outputs = {{{"y"}}},
    .infer = InferSame,
    .prepare = PrepareLrn,
    .grad = {.emit = GradLrn},
    .quant = {.keep_float = "its sum of squares needs more than 8 bits"},
    .channels = {.tie = TieNeighbours},
    .cost = PerElement<8>,
    .accuracy = Accuracy::kApproximate};

extern constinit const OpDef kLpNormalization{
    .name = "LpNormalization",
    .inputs = {{{"x"}}},
    .outputs = {{{"y"}}},
    .infer = InferSame,
    .prepare = PrepareLp,
    .grad = {.emit = GradLp},
    .quant = {.keep_float = "its norm needs more than 8 bits"},
    .channels = {.tie = TieAlongAxis<-1>},
    .cost = PerElement<8>,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
