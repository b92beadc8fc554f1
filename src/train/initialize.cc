#include "train/initialize.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "ops/op_def.h"
#include "train/parameters.h"

namespace pare::train {
namespace {

using graph::Graph;
using graph::ValueId;

// How a parameter begins: normal with this variance, or all of one value.
struct Beginning {
  float variance = 0, value = 0;
};

// The first use as a parameter; the first of all where there is none (an initial statistic).
graph::Use UseAsParameter(const Graph& graph, ValueId id) {
  const auto& uses = graph.value(id).uses;
  for (const graph::Use& use : uses) {
    const ops::OpDef* op = ops::FindOp(graph.node(use.node).op);
    if (!op || use.input >= ops::kMaxSlots) continue;
    if ((op->grad.parameters | op->grad.late_parameters) >> use.input & 1) return use;
  }
  return uses.front();
}

Beginning BeginningOf(const Graph& graph, ValueId id) {
  if (graph.value(id).uses.empty() || graph.value(id).data.count() == 0) return {};
  const graph::Use use = UseAsParameter(graph, id);
  const graph::Node& node = graph.node(use.node);
  if (const int64_t fan_in = FanInOf(graph, use); fan_in > 0)
    return {.variance = 2.0f / static_cast<float>(fan_in)};
  if (node.op == "Mul" || node.op == "Div") return {.value = 1};
  if (node.op == "PRelu") return {.value = 0.25f};
  const ops::OpDef* op = ops::FindOp(node.op);
  const bool scale = op && use.input < ops::kMaxSlots && op->inputs[use.input].name == "scale";
  return {.value = scale ? 1.0f : 0.0f};
}

Status Fill(Graph& graph, ValueId id, Beginning beginning, Random& random) {
  const Dims shape = graph.value(id).data.shape();
  PARE_ASSIGN(Tensor data, Tensor::Make(DType::kF32, shape));
  const float deviation = std::sqrt(beginning.variance);
  for (float& x : data.mutable_as<float>())
    x = deviation > 0 ? deviation * random.Normal() : beginning.value;
  graph.SetConstant(id, std::move(data));
  return {};
}

// Of the normalisations that are trained: a frozen one goes on with what it has.
Status ResetStatistics(Graph& graph, const std::vector<ValueId>& parameters, Random& random) {
  const auto trained = [&](ValueId id) {
    return std::find(parameters.begin(), parameters.end(), id) != parameters.end();
  };
  for (graph::NodeId id : graph.Order()) {
    if (graph.node(id).op != "BatchNormalization") continue;
    const std::vector<ValueId> inputs = graph.node(id).inputs;
    if (!trained(inputs[1]) && !trained(inputs[2])) continue;
    if (graph.is_constant(inputs[3])) PARE_TRY(Fill(graph, inputs[3], {.value = 0}, random));
    if (graph.is_constant(inputs[4])) PARE_TRY(Fill(graph, inputs[4], {.value = 1}, random));
  }
  return {};
}

}  // namespace

Status InitializeWeights(Graph& graph, const std::vector<ValueId>& parameters, uint64_t seed) {
  Random random(seed, 0x696e6974);
  for (ValueId id : parameters) PARE_TRY(Fill(graph, id, BeginningOf(graph, id), random));
  return ResetStatistics(graph, parameters, random);
}

}  // namespace pare::train
