#include "train/channel_axes.h"

#include <map>
#include <set>

#include "ops/channels.h"

namespace pare::train {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;
using ops::Place;

size_t IndexOf(ValueId id) { return static_cast<size_t>(id); }

// The axes that a record ties, each pair once.
std::set<std::pair<Place, Place>> TiesOf(const ops::ChannelContext& context) {
  std::set<std::pair<Place, Place>> ties;
  for (const auto& link : context.links()) ties.emplace(link.a, link.b);
  return ties;
}

// An operator that fixes all channels keeps them where they are, where it keeps the shape.
bool KeepsShape(const Graph& graph, const Node& node) {
  if (node.inputs.empty() || node.inputs[0] == ValueId::kNone) return false;
  const graph::TensorType& x = graph.value(node.inputs[0]).type;
  const graph::TensorType& y = graph.value(node.outputs[0]).type;
  return x.has_rank() && y.has_rank() && x.rank() == y.rank();
}

}  // namespace

ChannelAxes::ChannelAxes(const Graph& graph) : graph_(graph), axes_(graph.value_count(), 0) {}

uint64_t ChannelAxes::InputAxes(const Node& node, uint32_t weights, size_t input) const {
  if (node.inputs[input] == ValueId::kNone) return 0;
  return input < 32 && weights >> input & 1 ? ~uint64_t{0} : axes_[IndexOf(node.inputs[input])];
}

void ChannelAxes::Visit(graph::NodeId id, uint32_t weights) {
  const Node& node = graph_.node(id);
  const auto marked = [&](Place place) {
    return place.operand >= 0 && InputAxes(node, weights, place.operand) >> place.axis & 1;
  };
  uint64_t any = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) any |= InputAxes(node, weights, i);
  if (any == 0) return;
  // Where channels are one factor of an axis, they follow an operand that has some.
  const auto without = [&](Place place) { return place.operand >= 0 && !marked(place); };
  const ops::OpDef* op = ops::FindOp(node.op);
  ops::ChannelContext context(graph_, node, without);
  ops::TieChannels(op, context);
  const auto ties = TiesOf(context);
  if (ties.empty() && KeepsShape(graph_, node)) {
    axes_[IndexOf(node.outputs[0])] = InputAxes(node, weights, 0);
    return;
  }
  std::map<Place, bool> along;
  for (const auto& [a, b] : ties) along[a] = marked(a), along[b] = marked(b);
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [a, b] : ties) {
      if (along[a] == along[b]) continue;
      along[a] = along[b] = changed = true;
    }
  }
  for (const auto& [place, is] : along) {
    if (!is || place.operand >= 0) continue;
    const ValueId output = node.outputs[static_cast<size_t>(-1 - place.operand)];
    axes_[IndexOf(output)] |= uint64_t{1} << place.axis;
  }
}

bool ChannelAxes::LieAlong(ValueId value, int axis) const {
  return axes_[IndexOf(value)] >> axis & 1;
}

}  // namespace pare::train
