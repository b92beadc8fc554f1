#include "compress/prune/costs.h"

#include <algorithm>
#include <set>

#include "ops/node_view.h"
#include "ops/op_def.h"
#include "passes/bind.h"

namespace pare::compress {

using graph::Graph;
using graph::NodeId;
using graph::ValueId;

namespace {

// The stored operand with the most elements that is at least a matrix; −1 where there is none.
int WeightsOf(const Graph& graph, const graph::Node& node) {
  int weights = -1;
  for (int i = 0; i < std::ssize(node.inputs); ++i) {
    if (node.inputs[i] == ValueId::kNone) continue;
    const Tensor& data = graph.value(node.inputs[i]).data;
    if (!data || data.rank() < 2 || !IsFloat(data.dtype())) continue;
    if (weights < 0 || data.count() > graph.value(node.inputs[weights]).data.count()) weights = i;
  }
  return weights;
}

bool HasWeights(const Graph& graph, NodeId id) { return WeightsOf(graph, graph.node(id)) >= 0; }

// The layer that a measured one stands for: from the value whose name it carries back over what was
// fused into it, to the next node with weights.
NodeId LayerOf(const Graph& graph, const std::string& name, const std::set<NodeId>& taken) {
  const ValueId value = graph.FindValue(name);
  if (value == ValueId::kNone) return NodeId::kNone;
  const NodeId own = graph.value(value).producer;
  for (NodeId at = own; at != NodeId::kNone && !taken.contains(at);) {
    if (HasWeights(graph, at)) return at;
    const graph::Node& node = graph.node(at);
    if (node.inputs.empty() || node.inputs[0] == ValueId::kNone) break;
    if (graph.value(node.inputs[0]).uses.size() != 1) break;
    at = graph.value(node.inputs[0]).producer;
  }
  return own;
}

}  // namespace

ChannelCosts::ChannelCosts(const Channels& channels) : of_group_(channels.groups().size()) {
  for (const UnitGroup& group : channels.groups()) whole_.push_back(group.size);
}

ChannelCosts::Factor ChannelCosts::FactorOf(const Channels& channels, int axis) const {
  std::map<int, int64_t> positions;
  for (const Channels::Unit& unit : channels.units(axis)) ++positions[unit.group];
  Factor factor;
  for (const auto& [group, count] : positions) {
    if (!channels.groups()[group].prunable) continue;
    factor.push_back(
        {group, static_cast<double>(count) / static_cast<double>(channels.axes()[axis].size)});
  }
  return factor;
}

std::vector<ChannelCosts::Factor> ChannelCosts::FactorsOf(const Graph& graph,
                                                          const Channels& channels,
                                                          NodeId id) const {
  const graph::Node& node = graph.node(id);
  const int weights = WeightsOf(graph, node);
  std::vector<Factor> factors;
  for (int i = 0; i < std::ssize(channels.axes()); ++i) {
    const ChannelAxis& axis = channels.axes()[i];
    bool counts = axis.reader == graph::Use{id, weights};
    if (weights < 0) {
      // A product of two activations sums over the last axis of its first one.
      const bool summed = node.op == "MatMul" && axis.value == node.inputs[0] &&
                          axis.axis == graph.value(axis.value).type.rank() - 1;
      counts = axis.value == node.outputs[0] || summed;
    }
    if (!counts) continue;
    Factor factor = FactorOf(channels, i);
    if (!factor.empty()) factors.push_back(std::move(factor));
  }
  return factors;
}

void ChannelCosts::Add(double cost, std::vector<Factor> factors) {
  if (cost <= 0) return;
  const int index = static_cast<int>(terms_.size());
  for (const Factor& factor : factors) {
    for (const Share& share : factor) {
      auto& terms = of_group_[share.group];
      if (terms.empty() || terms.back() != index) terms.push_back(index);
    }
  }
  terms_.push_back({cost, std::move(factors)});
}

double ChannelCosts::TermCost(const Term& term, std::span<const int64_t> units) const {
  double cost = term.cost;
  for (const Factor& factor : term.factors) {
    double stays = 1;
    for (const Share& share : factor) {
      const auto gone = static_cast<double>(whole_[share.group] - units[share.group]);
      stays -= share.part * gone / static_cast<double>(whole_[share.group]);
    }
    cost *= stays;
  }
  return cost;
}

double ChannelCosts::Of(std::span<const int64_t> units) const {
  double cost = 0;
  for (const Term& term : terms_) cost += TermCost(term, units);
  return cost;
}

double ChannelCosts::Gain(std::span<const int64_t> units, int group, int64_t count) const {
  std::vector<int64_t> fewer(units.begin(), units.end());
  fewer[group] = count;
  double gain = 0;
  for (int term : of_group_[group])
    gain += TermCost(terms_[term], units) - TermCost(terms_[term], fewer);
  return gain;
}

Result<ChannelCosts> ChannelCosts::Macs(const Graph& graph, const Channels& channels,
                                        std::span<const Dims> shapes) {
  PARE_ASSIGN(const Graph bound, passes::BindShapes(graph, shapes));
  ChannelCosts costs(channels);
  for (NodeId id : graph.Order()) {
    const graph::Node& node = bound.node(id);
    const ops::OpDef* op = ops::FindOp(node.op);
    if (!op || !op->cost || !node.live) continue;
    const auto is_static = [&](ValueId value) {
      return value == ValueId::kNone || bound.value(value).type.is_static();
    };
    if (!std::ranges::all_of(node.inputs, is_static) ||
        !std::ranges::all_of(node.outputs, is_static)) {
      continue;
    }
    costs.Add(static_cast<double>(op->cost(ops::NodeView(bound, node)).macs),
              costs.FactorsOf(graph, channels, id));
  }
  return costs;
}

ChannelCosts ChannelCosts::Bytes(const Graph& graph, const Channels& channels) {
  ChannelCosts costs(channels);
  std::map<ValueId, std::vector<int>> axes;  // of a constant as its first reader reads it
  for (int i = 0; i < std::ssize(channels.axes()); ++i) {
    const ChannelAxis& axis = channels.axes()[i];
    if (axis.reader.node == NodeId::kNone) continue;
    auto& known = axes[axis.value];
    if (known.empty() || channels.axes()[known[0]].reader == axis.reader) known.push_back(i);
  }
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const graph::Value& value = graph.value(id);
    if (!value.data || value.uses.empty()) continue;
    std::vector<Factor> factors;
    for (int axis : axes[id]) {
      Factor factor = costs.FactorOf(channels, axis);
      if (!factor.empty()) factors.push_back(std::move(factor));
    }
    costs.Add(static_cast<double>(value.data.bytes()), std::move(factors));
  }
  return costs;
}

ChannelCosts ChannelCosts::Times(const Graph& graph, const Channels& channels,
                                 const std::map<std::string, double>& ms) {
  ChannelCosts costs(channels);
  std::set<NodeId> taken;
  for (const auto& [name, time] : ms) {
    const NodeId id = LayerOf(graph, name, taken);
    std::vector<Factor> factors;
    if (id != NodeId::kNone) {
      taken.insert(id);
      factors = costs.FactorsOf(graph, channels, id);
    }
    costs.Add(time, std::move(factors));
  }
  return costs;
}

}  // namespace pare::compress
