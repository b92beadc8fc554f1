// pare.FakeQuantize: x rounded to the levels of a quantization and taken back, for training that
// shall know what rounding does; and its gradient.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/fakequantize/fakequantize.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/norm.h"
#include "ops/pairs.h"

namespace pare::ops {
namespace {

using kernels::FakeQuantizeArgs;
using kernels::FakeQuantizeGradArgs;
using kernels::FakeQuantizeKernel;
using kernels::FakeQuantizeShape;

namespace fake {
enum Input { kX, kScale, kDy };
}

// The levels of an integer type, counted from the zero point.
struct Levels {
  float lo = 0, hi = 0;
};

Result<Levels> ReadLevels(const PrepareContext& context) {
  const int64_t zero = context.attrs().i("zero_point", 0);
  const int64_t lo = context.attrs().i("lo", -128), hi = context.attrs().i("hi", 127);
  constexpr int64_t kFarthest = 1 << 24;  // floats hold no more integers
  if (lo > zero || zero > hi || lo < -kFarthest || hi > kFarthest) {
    return Invalid(Text("its levels ", lo, " to ", hi, " don't hold the zero point ", zero));
  }
  return Levels{static_cast<float>(lo - zero), static_cast<float>(hi - zero)};
}

Result<FakeQuantizeShape> ReadScales(const PrepareContext& context) {
  PARE_TRY(RequireF32(context));
  const Dims x = context.shape(fake::kX), scale = context.shape(fake::kScale);
  FakeQuantizeShape shape{.inner = Count(x)};
  if (scale.empty()) return shape;
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 1), static_cast<int>(x.size())));
  if (scale.size() != 1 || scale[0] != x[axis]) {
    return Invalid(
        Text("its scale is ", DimsText(scale), " for ", DimsText(x), " along axis ", axis));
  }
  shape = {.scales = x[axis]};
  for (int i = 0; i < axis; ++i) shape.outer *= x[i];
  for (size_t i = axis + 1; i < x.size(); ++i) shape.inner *= x[i];
  return shape;
}

template <typename Args>
struct FakeQuantizeState {
  Args args{};
  const FakeQuantizeKernel* kernel = nullptr;
  int partial = -1;
};

void RunFakeQuantize(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const FakeQuantizeState<FakeQuantizeArgs>*>(step.state);
  FakeQuantizeArgs args = state.args;
  args.x = step.in<float>(fake::kX);
  args.scale = step.in<float>(fake::kScale);
  args.y = step.out<float>(0);
  state.kernel->quantize(args, step.begin, step.end);
}

// Makes the pairs of weights fit that are rounded already.
struct FitPairsState {
  PairOrder order;
  std::vector<int64_t> at = {};  // by place: where the first channel has it
  int64_t channels_of_task = 1;
};

// Of the weights at `a` and `b`.
void FitRounded(const float* x, float scale, int64_t a, int64_t b, float* y) noexcept {
  // Two that differ in their signs don't come so far.
  if (!(std::fabs(y[a] + y[b]) > (kMostOfPair + 0.5f) * scale)) return;
  auto level_a = static_cast<int8_t>(std::nearbyint(y[a] / scale));
  auto level_b = static_cast<int8_t>(std::nearbyint(y[b] / scale));
  FitPair(x[a] / scale, x[b] / scale, level_a, level_b);
  y[a] = static_cast<float>(level_a) * scale;
  y[b] = static_cast<float>(level_b) * scale;
}

void RunFitPairs(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const FitPairsState*>(step.state);
  const float *x = step.in<float>(fake::kX), *scale = step.in<float>(fake::kScale);
  float* y = step.out<float>(0);
  const int64_t stride = state.order.channel_stride();
  for (int64_t task = step.begin; task < step.end; ++task) {
    const int64_t begin = task * state.channels_of_task;
    const int64_t end = std::min(begin + state.channels_of_task, state.order.channels());
    state.order.EachPair([&](int64_t place) {
      for (int64_t c = begin; c < end; ++c)
        FitRounded(x, scale[c], state.at[place] + c * stride, state.at[place + 1] + c * stride, y);
    });
  }
}

// A task is one channel; where channels lie side by side, some lines of the cache.
Status AddFitPairs(PrepareContext& context, const Levels& levels) {
  constexpr float kFarthest = 127;
  if (context.shape(fake::kScale).empty() || levels.lo < -kFarthest || levels.hi > kFarthest) {
    return Invalid("pairs have a scale for each channel and levels from -127 to 127");
  }
  const Dims shape = context.shape(fake::kX);
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 1), static_cast<int>(shape.size())));
  FitPairsState state{.order = PairOrder(shape, axis)};
  for (int64_t place = 0; place < state.order.depth(); ++place)
    state.at.push_back(state.order.index(0, place));
  if (state.order.channel_stride() == 1) state.channels_of_task = 64;
  const int64_t tasks = kernels::CeilDiv(state.order.channels(), state.channels_of_task);
  context.AddStep(
      {RunFitPairs, context.State(std::move(state)), tasks, 0, "fakequantize_f32_pairs"});
  return {};
}

Status PrepareFakeQuantize(PrepareContext& context) {
  PARE_ASSIGN(const FakeQuantizeShape shape, ReadScales(context));
  PARE_ASSIGN(const Levels levels, ReadLevels(context));
  if (shape.count() == 0) return {};
  const auto* row = kernels::FindFakeQuantize(context.cpu());
  const auto* state = context.State(FakeQuantizeState<FakeQuantizeArgs>{
      .args = {.shape = shape, .lo = levels.lo, .hi = levels.hi}, .kernel = row->functions});
  const bool pairs = context.attrs().i("fit_pairs", 0) != 0;  // which reads x behind y
  if (!pairs && IsAloneInInputs(context)) context.AllowInPlace(fake::kX);
  context.AddStep({RunFakeQuantize, state, row->functions->tasks(shape), 0, row->name});
  return pairs ? AddFitPairs(context, levels) : Status();
}

Status GradFakeQuantize(GradContext& g) {
  const auto grads =
      g.emit().AddMany("pare.FakeQuantizeGrad", {g.in(0), g.in(1), g.dy()}, 2, g.attrs());
  g.gives(0, grads[0]);
  g.gives(1, grads[1]);
  return {};
}

Status InferFakeQuantizeGrad(InferContext& context) {
  context.set_output(0, context.input(fake::kX));
  context.set_output(1, context.input(fake::kScale));
  return {};
}

using GradState = FakeQuantizeState<FakeQuantizeGradArgs>;

FakeQuantizeGradArgs FakeQuantizeGradArgsOf(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const GradState*>(step.state);
  FakeQuantizeGradArgs args = state.args;
  args.x = step.in<float>(fake::kX);
  args.scale = step.in<float>(fake::kScale);
  args.dy = step.in<float>(fake::kDy);
  args.partial = static_cast<float*>(step.temps[state.partial]);
  args.dx = step.out<float>(0);
  args.ds = step.out<float>(1);
  return args;
}

void RunFakeQuantizeGrad(const StepArgs& step) noexcept {
  static_cast<const GradState*>(step.state)
      ->kernel->grad(FakeQuantizeGradArgsOf(step), step.begin, step.end);
}

void RunFakeQuantizeTotals(const StepArgs& step) noexcept {
  static_cast<const GradState*>(step.state)->kernel->totals(FakeQuantizeGradArgsOf(step));
}

// The scale's gradient is the sum of a term for each number: g makes its step as large, by its own
// size, as a weight's (§2.2). Of unsigned levels with a zero point the farther end counts.
float GradientScale(const FakeQuantizeShape& shape, const Levels& levels) {
  const double numbers = static_cast<double>(shape.outer) * static_cast<double>(shape.inner);
  const double farthest = std::fmax(1.0f, std::fmax(-levels.lo, levels.hi));
  return static_cast<float>(1 / std::sqrt(numbers * farthest));
}

Status PrepareFakeQuantizeGrad(PrepareContext& context) {
  PARE_ASSIGN(const FakeQuantizeShape shape, ReadScales(context));
  PARE_ASSIGN(const Levels levels, ReadLevels(context));
  if (context.shape(fake::kDy) != context.shape(fake::kX)) {
    return Invalid(Text("x is ", DimsText(context.shape(fake::kX)), ", dy ",
                        DimsText(context.shape(fake::kDy))));
  }
  if (shape.count() == 0) return {};
  const auto* row = kernels::FindFakeQuantize(context.cpu());
  const FakeQuantizeKernel& kernel = *row->functions;
  const size_t bytes = static_cast<size_t>(kernel.parts(shape) * shape.scales) * sizeof(float);
  const auto* state =
      context.State(GradState{.args = {.shape = shape,
                                       .lo = levels.lo,
                                       .hi = levels.hi,
                                       .gradient_scale = GradientScale(shape, levels)},
                              .kernel = &kernel,
                              .partial = context.Temp(bytes)});
  context.AllowInPlace(fake::kX);
  context.AllowInPlace(fake::kDy);
  context.AddStep({RunFakeQuantizeGrad, state, kernel.grad_tasks(shape), 0, row->name});
  context.AddStep({RunFakeQuantizeTotals, state, 1, 0, row->name});
  return {};
}

}  // namespace

// Attributes: lo, hi and zero_point are levels of the integer type; axis is that of a scale [n];
// with fit_pairs = 1 levels are lowered until all pairs of a channel fit (ops/pairs.h).
// The gradient passes x straight through where it is not clamped; that of the scale is not the
// slope (rounding has none) but LSQ's, see the kernel. Both are as if no pair had been lowered:
// such a weight still moves, and LSQ's term with the lowered level, level - x / s, would narrow the
// steps for weights that should be larger, where wider ones give them room.
extern constinit const OpDef kFakeQuantize{
    .name = "pare.FakeQuantize",
    .inputs = {{{"x"}, {"scale"}}},
    .outputs = {{{"y"}}},
    .infer = InferSameType,
    .prepare = PrepareFakeQuantize,
    .grad = {.emit = GradFakeQuantize, .parameters = Inputs({0})},
    .quant = {.keep_float = "it stands for a quantization already"},
    .channels = kOfQuantization,
    .cost = PerElement<5>,
    .accuracy = Accuracy::kRounding};

extern constinit const OpDef kFakeQuantizeGrad{.name = "pare.FakeQuantizeGrad",
                                               .inputs = {{{"x"}, {"scale"}, {"dy"}}},
                                               .outputs = {{{"dx"}, {"dscale"}}},
                                               .infer = InferFakeQuantizeGrad,
                                               .prepare = PrepareFakeQuantizeGrad,
                                               .grad = kSecondOrder,
                                               .quant = {.keep_float = "gradients are float"},
                                               .channels = kOfTraining,
                                               .cost = PerElement<10>,
                                               .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
