#include "compress/quantize/ways_out.h"

#include <algorithm>
#include <ranges>
#include <set>

namespace pare::compress {
namespace {

using graph::Graph;
using graph::NodeId;
using graph::ValueId;

constexpr int kTimesGrown = 2;
constexpr double kSameTime = 1.03;
constexpr const char* kNoWeights =
    "it has no weights, and gains nothing where its neighbours are float";

void AddAdjacent(const Graph& graph, NodeId id, std::vector<NodeId>& nodes) {
  const auto is_float = [&](ValueId value) {
    return value != ValueId::kNone && graph.value(value).type.dtype == DType::kF32;
  };
  for (const ValueId input : graph.node(id).inputs) {
    if (is_float(input) && graph.value(input).producer != NodeId::kNone)
      nodes.push_back(graph.value(input).producer);
  }
  for (const ValueId output : graph.node(id).outputs) {
    if (!is_float(output)) continue;
    for (const auto& use : graph.value(output).uses) nodes.push_back(use.node);
  }
}

// What is no layer of its own (moves, and the bias and clamp of a layer) is passed through.
std::vector<const Layer*> LayersAround(const Graph& graph, const Scheme& scheme, NodeId id) {
  std::vector<const Layer*> around;
  std::set<NodeId> seen{id};
  std::vector<NodeId> nodes;
  AddAdjacent(graph, id, nodes);
  while (!nodes.empty()) {
    const NodeId node = nodes.back();
    nodes.pop_back();
    if (!seen.insert(node).second) continue;
    const Layer* layer = scheme.find(node);
    if (layer) {
      around.push_back(layer);
    } else {
      AddAdjacent(graph, node, nodes);
    }
  }
  return around;
}

}  // namespace

WhyFloat WithNeighbours(const Graph& graph, const Scheme& scheme, WhyFloat layers) {
  WhyFloat all = layers;
  for (const Layer& layer : scheme.layers) {
    if (!layers.contains(layer.name)) continue;
    for (const Layer* other : LayersAround(graph, scheme, layer.node)) {
      if (other->integer && !other->weighted)
        all.try_emplace(other->name, "its neighbours are slower in int8, and the model is with it");
    }
  }
  return all;
}

WhyFloat SlowerWhereFused(const Scheme& scheme, const LayerTimes& in_float,
                          const LayerTimes& in_int8, double ms) {
  WhyFloat slow = SlowerThanFloat(scheme, in_float, in_int8, ms);
  for (const Layer& layer : scheme.layers) {
    // A weighted layer that has no time computes the one that has it: two layers fused have the
    // name of the last.
    if (layer.weighted || !layer.integer) continue;
    if (in_int8.contains(layer.name) && !in_float.contains(layer.name))
      slow[layer.name] = "in float another layer computes it along, in int8 none does";
  }
  return slow;
}

void AddWaysOut(const Graph& graph, const Scheme& scheme, const WhyFloat& slow,
                const LayerTimes& in_float, const LayerTimes& in_int8, double ms,
                std::vector<WhyFloat>& ways) {
  const auto add = [&](const WhyFloat& way) {
    const bool known = std::ranges::any_of(ways, [&](const WhyFloat& other) {
      return std::ranges::equal(std::views::keys(way), std::views::keys(other));
    });
    if (!known) ways.push_back(way);
  };
  WhyFloat grown = slow;
  add(grown);
  for (int i = 0; i < kTimesGrown; ++i) {
    grown = WithNeighbours(graph, scheme, std::move(grown));
    add(grown);
  }
  WhyFloat most = slow;
  most.merge(NotFasterThanFloat(scheme, in_float, in_int8, ms));
  for (const Layer& layer : scheme.layers) {
    if (layer.integer && !layer.weighted) most.try_emplace(layer.name, kNoWeights);
  }
  add(most);
}

size_t FirstOfFastest(std::span<const double> ms) {
  const double least = *std::ranges::min_element(ms);
  return static_cast<size_t>(
      std::ranges::find_if(ms, [&](double one) { return one <= kSameTime * least; }) - ms.begin());
}

}  // namespace pare::compress
