#include "train/optimizer.h"

#include <algorithm>

#include "base/glob.h"

namespace pare::train {
namespace {

using graph::Graph;
using graph::ValueId;
using graph::ValueKind;
using ops::Emitter;
using ops::Var;

constexpr std::string_view kNames[] = {"sgd", "adamw"};

std::string NameOf(Var value) { return value.emitter().graph().value(value.id()).name; }

// A state of the parameter's shape.
Var AddState(Var parameter, std::string_view what, Tensor initial) {
  Emitter& emit = parameter.emitter();
  const std::string name = Text("optimizer.", what, ".", NameOf(parameter));
  return emit.Of(emit.graph().AddConstant(name, std::move(initial), ValueKind::kState));
}
Var AddZeros(Var parameter, std::string_view what) {
  auto zeros = Tensor::Zeros(DType::kF32, parameter.dims());
  if (!zeros) {
    parameter.emitter().Fail(zeros.error());
    return parameter;
  }
  return AddState(parameter, what, *zeros);
}

bool Decays(Var parameter, const OptimizerOptions& options) {
  if (!options.decay_vectors && parameter.rank() < 2) return false;
  const std::string name = NameOf(parameter);
  return std::none_of(options.no_decay.begin(), options.no_decay.end(),
                      [&](const std::string& pattern) { return MatchesGlob(pattern, name); });
}

void Assign(Var state, Var value) {
  if (value) state.emitter().graph().Assign(state.id(), value.id());
}

// The gradient of all parts of the step so far.
Var SumOfParts(const Parameter& p, Var keeps_sum) {
  Emitter& emit = p.value.emitter();
  const Var sum = AddZeros(p.value, "gradient");
  emit.set_origin("gradient." + NameOf(p.value));
  const Var total = sum * keeps_sum + p.gradient;
  emit.set_origin("update");
  Assign(sum, total);
  return total;
}

// The new value of the parameter, whose states are assigned.
Var UpdateOne(const Parameter& p, Var scale, const StepScalars& scalars,
              const OptimizerOptions& options) {
  Emitter& emit = p.value.emitter();
  const float decay = Decays(p.value, options) ? options.weight_decay : 0.0f;
  if (options.kind == OptimizerKind::kSgd) {
    const Var buffer = AddZeros(p.value, "momentum");
    const auto next =
        emit.AddMany("pare.Sgd", {p.value, p.gradient, buffer, scalars.rate, scale}, 2,
                     {{"momentum", options.momentum},
                      {"nesterov", static_cast<int64_t>(options.nesterov)},
                      {"weight_decay", decay}});
    Assign(buffer, next[1]);
    return next[0];
  }
  const Var first = AddZeros(p.value, "mean"), second = AddZeros(p.value, "square");
  const auto next = emit.AddMany(
      "pare.AdamW", {p.value, p.gradient, first, second, scalars.rate, scale, scalars.step}, 3,
      {{"beta1", options.beta1},
       {"beta2", options.beta2},
       {"epsilon", options.epsilon},
       {"weight_decay", decay}});
  Assign(first, next[1]);
  Assign(second, next[2]);
  return next[0];
}

// What moves the averages of a step: 1 less their decay, which begins small, so that the weights of
// the start are forgotten (as tf.train.ExponentialMovingAverage does with num_updates).
Var ShareInAverage(const StepScalars& scalars, float decay) {
  Emitter& emit = scalars.step.emitter();
  const Var early = (scalars.step + 1.0f) / (scalars.step + 10.0f);
  const Var share = 1.0f - emit.Add("Min", {emit.Scalar(decay), early});
  return scalars.moves ? share * scalars.moves : share;
}

// Of a value that becomes `next`.
Average AddAverage(Var value, Var next, Var share) {
  const Tensor& data = value.emitter().graph().value(value.id()).data;
  const Var average = AddState(value, "average", Tensor::Of<float>(data.shape(), data.as<float>()));
  Assign(average, average + (next - average) * share);
  return {value.id(), average.id()};
}

// Statistics that a forward pass leaves stay as they were where the step isn't finite.
void Guard(Emitter& emit, std::vector<graph::Assignment>& statistics, Var finite) {
  Graph& graph = emit.graph();
  for (auto& [state, next] : statistics) {
    const Var kept = ops::Where(finite, emit.Of(next), emit.Of(state));
    if (!kept) return;
    graph.ReplaceUses(next, kept.id());
    graph.SetInput(graph.value(kept.id()).producer, 1, next);
    next = kept.id();
  }
}

Var SumOfSquares(Emitter& emit, std::span<const Parameter> parameters) {
  Var sum;
  for (const Parameter& p : parameters) {
    const Var square = emit.Add("ReduceSumSquare", {p.gradient}, {{"keepdims", int64_t{0}}});
    sum = sum ? sum + square : square;
  }
  return sum;
}

}  // namespace

std::string_view OptimizerName(OptimizerKind kind) { return kNames[static_cast<int>(kind)]; }
double DefaultRate(OptimizerKind kind) { return kind == OptimizerKind::kSgd ? 0.05 : 0.001; }

Result<OptimizerKind> ParseOptimizer(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<OptimizerKind>(i);
  }
  return Fail(ErrorKind::kUsage, Text("\"", name, "\" is no optimizer"), "sgd or adamw");
}

Updates EmitUpdates(Emitter& emit, std::span<const Parameter> given, Var loss,
                    const StepScalars& scalars, const OptimizerOptions& options) {
  emit.set_origin("update");
  std::vector<graph::Assignment> statistics = emit.graph().assignments();
  Updates updates;
  std::vector<Parameter> parameters(given.begin(), given.end());
  if (scalars.keeps_sum) {
    for (Parameter& p : parameters) p.gradient = SumOfParts(p, scalars.keeps_sum);
  }
  updates.gradient_norm = ops::Sqrt(SumOfSquares(emit, parameters)) * scalars.gradient_scale;
  Var scale = scalars.gradient_scale;
  if (options.clip_norm > 0) {
    const Var ratio = options.clip_norm / (updates.gradient_norm + 1e-6f);
    scale = scale * emit.Add("Min", {emit.Scalar(1), ratio});
  }
  // Not a number where either is not finite, or where nothing shall move yet: the operators then
  // leave everything as it is.
  Var holds = loss + updates.gradient_norm;
  const Var finite = ops::Equal(holds * 0.0f, emit.Scalar(0));
  Guard(emit, statistics, finite);
  if (scalars.moves) holds = holds + 1.0f / scalars.moves;
  scale = scale + holds * 0.0f;
  const Var share = options.ema > 0
                        ? ops::Where(finite, ShareInAverage(scalars, options.ema), emit.Scalar(0))
                        : Var();
  for (const Parameter& p : parameters) {
    const Var next = UpdateOne(p, scale, scalars, options);
    if (!next) return updates;
    Assign(p.value, next);
    if (share) updates.averages.push_back(AddAverage(p.value, next, share));
  }
  if (!share) return updates;
  for (const auto& [state, next] : statistics)
    updates.averages.push_back(AddAverage(emit.Of(state), emit.Of(next), share));
  return updates;
}

}  // namespace pare::train
