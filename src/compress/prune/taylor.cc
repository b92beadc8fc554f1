#include "compress/prune/taylor.h"

#include <algorithm>
#include <map>

#include "compress/score.h"
#include "compress/signed_outputs.h"
#include "passes/bind.h"
#include "passes/pipeline.h"
#include "train/autodiff.h"
#include "train/parameters.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::ValueId;

constexpr int kDraws = 4;  // of signs, for each batch

// The outputs' gradients as one graph: inputs are the model's and the signs of each output; outputs
// are the model's and then the gradient of each weight.
struct GradientGraph {
  Graph graph;
  size_t outputs = 0;
  std::vector<Dims> signs;             // shapes, by output
  std::map<ValueId, size_t> gradient;  // of a weight: which output
};

std::vector<ValueId> SummingWeights(const Graph& model, const Channels& channels,
                                    std::span<const int> groups) {
  std::vector<ValueId> weights;
  for (int group : groups) {
    for (int consumer : channels.groups()[group].consumers) {
      const ValueId value = channels.axes()[consumer].value;
      if (model.value(value).type.dtype != DType::kF32) continue;
      if (std::ranges::find(weights, value) == weights.end()) weights.push_back(value);
    }
  }
  return weights;
}

Result<GradientGraph> MakeGradients(const Graph& model, const std::vector<ValueId>& weights,
                                    std::span<const Tensor> inputs) {
  PARE_ASSIGN(const Graph moving, train::WithParameters(model, weights));
  std::vector<Dims> shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  GradientGraph made;
  PARE_ASSIGN(made.graph, passes::BindShapes(moving, shapes));
  Graph& graph = made.graph;
  // Normalisations stay as they infer.
  PARE_TRY(
      passes::RunPasses(graph, passes::TrainPasses(), nullptr, {.switches = "-TrainBatchNorm"}));
  PARE_ASSIGN(ops::KnownDims dims, ops::InferTypesAndDims(graph));
  ops::Emitter emit(graph, dims);
  emit.set_origin("taylor");
  made.outputs = graph.outputs().size();
  auto outputs = EmitSignedOutputs(emit, "taylor");
  if (!outputs)
    return Fail(outputs.error().at("taylor").advise("another --importance needs no gradients"));
  made.signs = std::move(outputs->signs);
  PARE_ASSIGN(const auto gradients, train::Differentiate(emit, outputs->sum.id(), weights));
  for (size_t i = 0; i < weights.size(); ++i) {
    if (gradients[i] == ValueId::kNone) continue;
    made.gradient[weights[i]] = graph.outputs().size();
    graph.AddOutput(gradients[i], graph.FreshName(Text("taylor.", i)));
  }
  graph.RemoveDead();
  PARE_TRY(passes::RunPasses(graph, passes::StepPasses()));
  return made;
}

double Energy(const Tensor& y, int64_t samples) {
  const auto values = y.as<float>();
  const int64_t rows = y.rank() == 0 ? 1 : std::max<int64_t>(1, y.shape()[0]);
  double sum = 0;
  for (int64_t i = 0; i < std::ssize(values) / rows * std::min(samples, rows); ++i)
    sum += double{values[i]} * values[i];
  return sum;
}

// Adds Σ g·w of one weight's positions to those of its units.
void AddAlong(const Tensor& weights, const Tensor& gradient, const ChannelAxis& axis,
              std::span<const Channels::Unit> units, int group, std::vector<double>& sums) {
  int64_t inner = 1;
  for (int i = axis.axis + 1; i < weights.rank(); ++i) inner *= weights.shape()[i];
  const auto w = weights.as<float>(), g = gradient.as<float>();
  for (int64_t i = 0; i < std::ssize(w); ++i) {
    const Channels::Unit unit = units[i / inner % axis.size];
    if (unit.group == group) sums[unit.index] += double{w[i]} * g[i];
  }
}

}  // namespace

Result<std::vector<std::vector<double>>> TaylorImportance(
    const Graph& model, const Channels& channels, std::span<const int> groups,
    const CalibrationBatches& samples, uint64_t seed, const model::Context& context,
    Progress& progress) {
  std::vector<std::vector<double>> importance;
  for (int group : groups)
    importance.emplace_back(static_cast<size_t>(channels.groups()[group].size));
  const auto weights = SummingWeights(model, channels, groups);
  if (weights.empty() || samples.batches().empty()) return importance;
  PARE_ASSIGN(const GradientGraph made, MakeGradients(model, weights, samples.batches()[0].inputs));
  runtime::Session session(
      made.graph, context.cpu, context.pool,
      [](const Graph& graph, std::span<const Dims>) -> Result<Graph> { return graph; });
  progress.Stage("differentiating", std::ssize(samples.batches()));
  Random random(seed);
  double energy = 0;
  for (const data::Batch& batch : samples.batches()) {
    PARE_TRY(progress.Check());
    for (int draw = 0; draw < kDraws; ++draw) {
      std::vector<Tensor> inputs = batch.inputs;
      if (inputs[0].shape() != samples.batches()[0].inputs[0].shape()) break;  // the last, shorter
      for (const Dims& shape : made.signs) {
        PARE_ASSIGN(inputs.emplace_back(), RandomSigns(shape, batch.count(), 1, random));
      }
      std::vector<Tensor> answers(made.graph.outputs().size());
      PARE_TRY(session.Run(inputs, answers));
      for (size_t i = 0; i < made.outputs; ++i) energy += Energy(answers[i], batch.count());
      for (size_t i = 0; i < groups.size(); ++i) {
        std::vector<double> sums(importance[i].size());
        for (int consumer : channels.groups()[groups[i]].consumers) {
          const ChannelAxis& axis = channels.axes()[consumer];
          const auto at = made.gradient.find(axis.value);
          if (at == made.gradient.end()) continue;
          AddAlong(model.value(axis.value).data, answers[at->second], axis,
                   channels.units(consumer), groups[i], sums);
        }
        for (size_t unit = 0; unit < sums.size(); ++unit)
          importance[i][unit] += sums[unit] * sums[unit];
      }
    }
    progress.Advance(1);
  }
  for (auto& of_group : importance) {
    for (double& value : of_group) value /= std::max(energy, 1e-30);
  }
  return importance;
}

}  // namespace pare::compress
