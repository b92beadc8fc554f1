#include "compress/quantize/domain.h"

#include <optional>

#include "ops/dequantized.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

struct Domain {
  std::string_view op;
  std::optional<float> lo, hi;
};
// Log and Sqrt are not among them: their end, 0, has a level of its own, and nothing above it is
// rounded beyond. Atanh is infinite at its ends.
constexpr float kBelowOne = 0x1.fffffep-1f;
constexpr Domain kDomains[] = {
    {"Asin", -1.0f, 1.0f},
    {"Acos", -1.0f, 1.0f},
    {"Atanh", -kBelowOne, kBelowOne},
    {"Acosh", 1.0f, std::nullopt},
};

const Domain* DomainOf(const Node& node) {
  for (const Domain& domain : kDomains) {
    if (domain.op == node.op) return &domain;
  }
  return nullptr;
}

bool IsRounded(const Graph& graph, ValueId value) {
  const Node* source = ops::BehindMoves(graph, value);
  return source && (source->op == "DequantizeLinear" || source->op == "pare.FakeQuantize");
}

}  // namespace

void ClipToDomains(Graph& graph) {
  for (const NodeId id : graph.Order()) {
    const Domain* domain = DomainOf(graph.node(id));
    if (!domain) continue;
    const ValueId x = graph.node(id).inputs[0];
    if (!IsRounded(graph, x)) continue;
    const std::string name = graph.value(graph.node(id).outputs[0]).name;
    std::vector<ValueId> operands = {x};
    const auto add_bound = [&](std::string_view which, std::optional<float> bound) {
      if (!bound) return;
      operands.push_back(
          graph.AddConstant(graph.FreshName(Text(name, which)), Tensor::Scalar(*bound)));
    };
    add_bound("_least", domain->lo);
    add_bound("_most", domain->hi);
    const NodeId clip = graph.AddNode("Clip", operands, {graph.FreshName(name + "_operand")});
    graph.SetInput(id, 0, graph.node(clip).outputs[0]);
  }
}

bool IsDomainClip(const Graph& graph, const Node& node) {
  if (node.op != "Clip" || !IsRounded(graph, node.inputs[0])) return false;
  const auto& uses = graph.value(node.outputs[0]).uses;
  return uses.size() == 1 && DomainOf(graph.node(uses[0].node));
}

}  // namespace pare::compress
