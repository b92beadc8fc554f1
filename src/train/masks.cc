#include "train/masks.h"

#include <algorithm>

#include "ops/node_view.h"
#include "train/parameters.h"

namespace pare::train {
namespace {

using graph::Graph;
using graph::NodeId;
using graph::ValueId;

// A rounding may stand between a weight and its layer.
bool IsOfLayer(const Graph& graph, ValueId weight) {
  const auto& uses = graph.value(weight).uses;
  return std::any_of(uses.begin(), uses.end(), [&](const graph::Use& use) {
    const graph::Node& reader = graph.node(use.node);
    const bool rounds = reader.op == "pare.FakeQuantize" && use.input == 0;
    return rounds ? IsOfLayer(graph, reader.outputs[0]) : FanInOf(graph, use) > 0;
  });
}

int64_t ZerosOf(const Tensor& weights) {
  const auto values = weights.as<float>();
  return std::count(values.begin(), values.end(), 0.0f);
}

Result<Mask> InsertMask(Graph& graph, ValueId weight, int64_t zeros) {
  const graph::Value& value = graph.value(weight);
  const std::string name = value.name;
  const std::vector<graph::Use> uses = value.uses;
  PARE_ASSIGN(Tensor moves, Tensor::Make(DType::kF32, value.data.shape()));
  const auto from = value.data.as<float>();
  std::transform(from.begin(), from.end(), moves.mutable_as<float>().begin(),
                 [](float x) { return x == 0 ? 0.0f : 1.0f; });
  const ValueId mask = graph.AddConstant(graph.FreshName(name + "_mask"), moves);
  const NodeId node =
      graph.AddNode("pare.Mask", {weight, mask}, {graph.FreshName(name + "_masked")});
  for (const graph::Use& use : uses)
    graph.SetInput(use.node, use.input, graph.node(node).outputs[0]);
  return Mask{weight, moves, zeros};
}

}  // namespace

Result<std::vector<Mask>> InsertMasks(Graph& graph, const std::vector<ValueId>& parameters) {
  std::vector<Mask> masks;
  for (ValueId id : parameters) {
    const Tensor& data = graph.value(id).data;
    if (data.rank() < 2 || !IsOfLayer(graph, id)) continue;
    const int64_t zeros = ZerosOf(data);
    if (zeros == 0) continue;
    PARE_ASSIGN(Mask mask, InsertMask(graph, id, zeros));
    masks.push_back(std::move(mask));
  }
  PARE_TRY(ops::InferTypes(graph));
  return masks;
}

void FoldMask(const Mask& mask, Tensor& weights) {
  const auto moves = mask.moves.as<float>();
  const auto values = weights.mutable_as<float>();
  for (size_t i = 0; i < moves.size(); ++i) values[i] = moves[i] == 0 ? 0 : values[i];
}

}  // namespace pare::train
