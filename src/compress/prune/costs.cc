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
// fused into it, to the next node with weights; not over values that were measured themselves.
NodeId LayerOf(const Graph& graph, const std::string& name,
               const std::map<std::string, double>& measured) {
  const ValueId value = graph.FindValue(name);
  if (value == ValueId::kNone) return NodeId::kNone;
  const NodeId own = graph.value(value).producer;
  std::vector<NodeId> open{own};
  while (!open.empty()) {
    const NodeId at = open.back();
    open.pop_back();
    if (at == NodeId::kNone) continue;
    if (HasWeights(graph, at)) return at;
    const auto& inputs = graph.node(at).inputs;
    for (auto input = inputs.rbegin(); input != inputs.rend(); ++input) {
      if (*input == ValueId::kNone || graph.value(*input).uses.size() != 1) continue;
      if (!measured.contains(graph.value(*input).name))
        open.push_back(graph.value(*input).producer);
    }
  }
  return own;
}

}  // namespace

LayerTimes TimesByNode(const Graph& graph, const std::map<std::string, double>& by_name) {
  LayerTimes times;
  for (const auto& [name, ms] : by_name) times[LayerOf(graph, name, by_name)] += ms;
  return times;
}

ChannelCosts::ChannelCosts(const Channels& channels) : of_group_(channels.groups().size()) {
  for (const UnitGroup& group : channels.groups()) whole_.push_back(group.size);
}

ChannelCosts::Factor ChannelCosts::FactorOf(const Channels& channels, int axis) const {
  std::map<int, int64_t> positions;
  for (const Channels::Unit& unit : channels.units(axis)) ++positions[unit.group];
  Factor factor;
  for (const auto& [group, count] : positions) {
    if (!channels.groups()[group].prunable) continue;
    const auto size = static_cast<double>(channels.axes()[axis].size);
    factor.push_back({group, static_cast<double>(count) / size, {}});
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

void ChannelCosts::Add(double cost, NodeId layer, std::vector<Factor> factors) {
  if (cost <= 0) return;
  const int index = static_cast<int>(terms_.size());
  for (const Factor& factor : factors) {
    for (const Share& share : factor) {
      auto& terms = of_group_[share.group];
      if (terms.empty() || terms.back() != index) terms.push_back(index);
    }
  }
  terms_.push_back({cost, layer, std::move(factors)});
}

double ChannelCosts::Stays(const Share& share, int64_t units) const {
  if (!share.measured.empty()) {
    const auto at = share.measured.lower_bound(units);
    return at == share.measured.end() ? 1 : at->second;
  }
  const auto whole = static_cast<double>(whole_[share.group]);
  return 1 - share.part * (whole - static_cast<double>(units)) / whole;
}

double ChannelCosts::TermCost(const Term& term, std::span<const int64_t> units) const {
  double cost = term.cost;
  for (const Factor& factor : term.factors) {
    double stays = 1;
    for (const Share& share : factor) stays -= 1 - Stays(share, units[share.group]);
    cost *= std::max(stays, 0.0);
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
    costs.Add(static_cast<double>(op->cost(ops::NodeView(bound, node)).macs), id,
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
    const NodeId reader = value.uses.size() == 1 ? value.uses[0].node : NodeId::kNone;
    costs.Add(static_cast<double>(value.data.bytes()), reader, std::move(factors));
  }
  return costs;
}

ChannelCosts ChannelCosts::Times(const Graph& graph, const Channels& channels,
                                 const LayerTimes& whole, std::span<const NarrowedTimes> narrowed) {
  ChannelCosts costs(channels);
  for (const auto& [layer, ms] : whole) {
    std::vector<Factor> factors;
    if (layer != NodeId::kNone) factors = costs.FactorsOf(graph, channels, layer);
    for (const NarrowedTimes& narrow : narrowed) {
      const auto part = narrow.parts.find(layer);
      if (part == narrow.parts.end()) continue;
      for (const auto& [group, units] : narrow.units)
        SetMeasured(factors, group, units, part->second);
    }
    costs.Add(ms, layer, std::move(factors));
  }
  return costs;
}

// What was measured is of all axes that the group has in the layer: the others don't count then.
void ChannelCosts::SetMeasured(std::vector<Factor>& factors, int group, int64_t units,
                               double part) {
  bool set = false;
  for (Factor& factor : factors) {
    for (Share& share : factor) {
      if (share.group != group) continue;
      if (!set) share.measured[units] = part;
      if (set) share.part = 0;
      set = true;
    }
  }
}

void ChannelCosts::AddBlocks(std::span<const std::vector<NodeId>> blocks) {
  const int group = static_cast<int>(whole_.size());
  const int64_t size = std::ssize(blocks);
  whole_.push_back(size);
  std::vector<int>& terms = of_group_.emplace_back();
  for (size_t i = 0; i < terms_.size(); ++i) {
    for (int64_t k = 0; k < size; ++k) {
      if (std::ranges::find(blocks[k], terms_[i].layer) == blocks[k].end()) continue;
      terms_[i].factors.push_back({Share{group, 1, {{size, 1}, {size - 1 - k, 0}}}});
      terms.push_back(static_cast<int>(i));
    }
  }
}

bool ChannelCosts::MeetInALayer(int a, int b) const {
  const auto& of_b = of_group_[b];
  return std::ranges::any_of(of_group_[a],
                             [&](int term) { return std::ranges::find(of_b, term) != of_b.end(); });
}

}  // namespace pare::compress
