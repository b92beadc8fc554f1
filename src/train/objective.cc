#include "train/objective.h"

#include "train/loss.h"
#include "train/near_layers.h"

namespace pare::train {

using graph::ValueId;
using ops::Var;

Result<Var> LossContext::value(std::string_view name) {
  const ValueId id = emit_.graph().FindValue(name);
  if (id != ValueId::kNone) return emit_.Of(id);
  return Fail(ErrorKind::kUsage, Text("the model has no layer \"", name, "\""),
              LayerAdvice(emit_.graph(), name));
}

Var LossContext::AddTarget(std::string_view name, const Dims& shape) {
  graph::Graph& graph = emit_.graph();
  return emit_.Of(
      graph.AddInput(graph.FreshName(Text("target.", name)), {DType::kF32, graph::ToShape(shape)}));
}

Var LossContext::AddParameter(std::string_view name, Tensor initial) {
  graph::Graph& graph = emit_.graph();
  parameters_.push_back(graph.AddConstant(graph.FreshName(Text("objective.", name)),
                                          std::move(initial), graph::ValueKind::kParameter));
  return emit_.Of(parameters_.back());
}

Result<Tensor> LabelRows(const TrainBatch& batch, int64_t classes, float smoothing) {
  const std::vector<int64_t>& labels = batch.data.labels;
  const int64_t rows = std::ssize(labels);
  PARE_ASSIGN(Tensor target, Tensor::Make(DType::kF32, {rows, classes}));
  const auto values = target.mutable_as<float>();
  std::fill(values.begin(), values.end(), smoothing / static_cast<float>(classes));
  const auto add = [&](int64_t row, int64_t label, float weight) -> Status {
    if (label < 0 || label >= classes) {
      return Fail(ErrorKind::kUsage,
                  Text("a sample has the label ", label, ", and the model ", classes, " classes"),
                  "--label-offset shifts labels; samples without a label can't be trained on");
    }
    values[row * classes + label] += weight * (1 - smoothing);
    return {};
  };
  const Mixture& mixture = batch.mixture;
  for (int64_t row = 0; row < rows; ++row) {
    PARE_TRY(add(row, labels[row], mixture.weight));
    if (!mixture.partner.empty())
      PARE_TRY(add(row, labels[mixture.partner[row]], 1 - mixture.weight));
  }
  return target;
}

Status CheckLabelled(const data::Dataset& dataset, std::span<const int64_t> indices) {
  int64_t first = -1, count = 0;
  for (int64_t index : indices) {
    if (dataset.label(index) != data::kNoLabel) continue;
    if (count++ == 0) first = index;
  }
  if (count == 0) return {};
  return Fail(Error(ErrorKind::kUsage,
                    Text("has no label, as ", count, " of the ", indices.size(), " samples"),
                    "training by labels needs one for each; distillation without labels (--alpha "
                    "1) needs none")
                  .at(dataset.SampleName(first)));
}

Result<LabelLoss> EmitLabelLoss(LossContext& context) {
  const Var output = context.outputs()[0];
  const Dims shape = output.dims();
  const int64_t count = CountOf(shape).value_or(0);
  if (shape.size() < 2 || shape[0] == 0 || shape[1] < 2 || count != shape[0] * shape[1]) {
    return Fail(ErrorKind::kUsage,
                Text("the first output is ", DimsText(shape), " and no classifier's"),
                "training by labels needs an output of [batch, classes]");
  }
  const Var target = context.AddTarget("labels", {shape[0], shape[1]});
  return LabelLoss{CrossEntropy(Logits(output), target), shape[1]};
}

Result<Var> LabelObjective::Emit(LossContext& context) {
  PARE_ASSIGN(const LabelLoss labels, EmitLabelLoss(context));
  classes_ = labels.classes;
  return labels.loss;
}

Result<std::vector<Tensor>> LabelObjective::Targets(const TrainBatch& batch) {
  PARE_ASSIGN(Tensor rows, LabelRows(batch, classes_, options_.smoothing));
  return std::vector{std::move(rows)};
}

}  // namespace pare::train
