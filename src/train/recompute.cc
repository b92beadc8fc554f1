#include "train/recompute.h"

#include <algorithm>
#include <unordered_map>

#include "ops/node_view.h"
#include "ops/op_def.h"

namespace pare::train {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;
using graph::ValueKind;

constexpr int64_t kSmallShare = 1024;  // what is less than this part of all results is kept

size_t IndexOf(ValueId id) { return static_cast<size_t>(id); }

// The nodes that `loss` is computed from, in their order.
std::vector<NodeId> ForwardNodes(const Graph& graph, ValueId loss) {
  std::vector<bool> wanted(graph.value_count(), false);
  wanted[IndexOf(loss)] = true;
  std::vector<NodeId> forward;
  const std::vector<NodeId> order = graph.Order();
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    const Node& node = graph.node(*id);
    const bool reached = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
      return output != ValueId::kNone && wanted[IndexOf(output)];
    });
    if (!reached) continue;
    forward.push_back(*id);
    for (ValueId input : node.inputs) {
      if (input != ValueId::kNone) wanted[IndexOf(input)] = true;
    }
  }
  std::reverse(forward.begin(), forward.end());
  return forward;
}

int64_t BytesOf(const Graph& graph, ValueId id) {
  const graph::TensorType& type = graph.value(id).type;
  return CountOf(type.dims()).value_or(0) * static_cast<int64_t>(SizeOf(type.dtype));
}

bool IsProduct(const Graph& graph, NodeId id) {
  const ops::OpDef* op = ops::FindOp(graph.node(id).op);
  return op && op->cost && op->cost(ops::NodeView(graph, graph.node(id))).macs > 0;
}

class Recomputer {
 public:
  Recomputer(const Graph& step, ValueId loss)
      : graph_(step), forward_(ForwardNodes(step, loss)), kept_(step.value_count(), true) {
    place_.resize(graph_.node_count(), -1);
    for (size_t i = 0; i < forward_.size(); ++i) place_[Place(forward_[i])] = static_cast<int>(i);
  }

  Graph Run(Recomputation how) {
    switch (how.drop) {
      case Recomputation::Drop::kNothing:
        return std::move(graph_);
      case Recomputation::Drop::kFromKept:
        DropFromKept();
        break;
      case Recomputation::Drop::kNoProducts:
        Drop([&](NodeId id, ValueId) { return !IsProduct(graph_, id); });
        break;
      case Recomputation::Drop::kWithin:
        DropWithin(how.segments);
        break;
    }
    // New nodes read kept values and one another, so that the walk needs those of before alone.
    const std::vector<NodeId> order = graph_.Order();
    for (NodeId id : order) {
      if (!IsForward(id)) ReadCopies(id);
    }
    graph_.RemoveDead();
    return std::move(graph_);
  }

 private:
  static size_t Place(NodeId id) { return static_cast<size_t>(id); }
  bool IsForward(NodeId id) const { return Place(id) < place_.size() && place_[Place(id)] >= 0; }

  template <typename Drops>
  void Drop(Drops drops) {
    int64_t total = 0;
    for (NodeId id : forward_) {
      for (ValueId output : graph_.node(id).outputs)
        total += output == ValueId::kNone ? 0 : BytesOf(graph_, output);
    }
    for (NodeId id : forward_) {
      for (ValueId output : graph_.node(id).outputs) {
        if (output == ValueId::kNone || graph_.is_visible(output)) continue;
        if (BytesOf(graph_, output) * kSmallShare > total && drops(id, output))
          kept_[IndexOf(output)] = false;
      }
    }
  }

  // Only short chains: along a residual stream a long one would bring all of it back at once.
  void DropFromKept() {
    constexpr int kLongest = 2, kGone = kLongest;
    // By value: how many nodes in a row compute it anew in the backward pass; 0: it is kept.
    std::vector<int> chain(kept_.size(), kGone);
    for (size_t i = 0; i < chain.size(); ++i) {
      const graph::Value& value = graph_.value(static_cast<ValueId>(i));
      const bool stays = value.kind != ValueKind::kResult ||
                         std::any_of(value.uses.begin(), value.uses.end(),
                                     [&](const graph::Use& use) { return !IsForward(use.node); });
      if (stays) chain[i] = 0;
    }
    Drop([&](NodeId id, ValueId output) {
      if (IsProduct(graph_, id)) return false;
      int longest = 0;
      for (ValueId input : graph_.node(id).inputs) {
        if (input != ValueId::kNone) longest = std::max(longest, chain[IndexOf(input)]);
      }
      if (longest >= kLongest) return false;
      chain[IndexOf(output)] = longest + 1;
      return true;
    });
  }

  void DropWithin(int segments) {
    const std::vector<int> last = LastForwardUses();
    const std::vector<size_t> cuts = FindCuts(segments, last);
    Drop([&](NodeId id, ValueId output) {
      const int from = place_[Place(id)], to = last[IndexOf(output)];
      return std::none_of(cuts.begin(), cuts.end(), [&](size_t cut) {
        return from <= static_cast<int>(cut) && to > static_cast<int>(cut);
      });
    });
  }

  // By value: the place of the last forward node that reads it; −1 where none does.
  std::vector<int> LastForwardUses() const {
    std::vector<int> last(graph_.value_count(), -1);
    for (size_t i = 0; i < forward_.size(); ++i) {
      for (ValueId input : graph_.node(forward_[i]).inputs) {
        if (input != ValueId::kNone) last[IndexOf(input)] = static_cast<int>(i);
      }
    }
    return last;
  }

  // Behind which forward nodes: near equal shares of the activations' bytes, where the fewest bytes
  // cross.
  std::vector<size_t> FindCuts(int segments, const std::vector<int>& last) const {
    const size_t count = forward_.size();
    std::vector<int64_t> made(count, 0), crossing(count, 0);  // `made`: up to and with the node
    int64_t total = 0;
    for (size_t i = 0; i < count; ++i) {
      for (ValueId output : graph_.node(forward_[i]).outputs) {
        if (output == ValueId::kNone) continue;
        const int64_t bytes = BytesOf(graph_, output);
        total += bytes;
        for (int at = static_cast<int>(i); at < last[IndexOf(output)]; ++at) crossing[at] += bytes;
      }
      made[i] = total;
    }
    std::vector<size_t> cuts;
    for (int n = 1; n < segments; ++n) {
      const int64_t begin = total * (2 * n - 1) / (2 * segments);
      const int64_t end = total * (2 * n + 1) / (2 * segments);
      size_t best = count;
      for (size_t i = 0; i < count; ++i) {
        if (made[i] < begin || made[i] > end) continue;
        if (best == count || crossing[i] < crossing[best]) best = i;
      }
      if (best != count) cuts.push_back(best);
    }
    return cuts;
  }

  void ReadCopies(NodeId id) {
    for (size_t i = 0; i < graph_.node(id).inputs.size(); ++i) {
      const ValueId input = graph_.node(id).inputs[i];
      if (IsDropped(input)) graph_.SetInput(id, static_cast<int>(i), CopyOf(input));
    }
  }

  bool IsDropped(ValueId id) const {
    return id != ValueId::kNone && IndexOf(id) < kept_.size() && !kept_[IndexOf(id)];
  }

  // Forward nodes come after what they read: a walk back with a stack of our own, for deep models.
  ValueId CopyOf(ValueId dropped) {
    std::vector<NodeId> open{graph_.value(dropped).producer};
    while (!open.empty()) {
      const NodeId id = open.back();
      const std::vector<ValueId> inputs = graph_.node(id).inputs;
      const auto missing = std::find_if(inputs.begin(), inputs.end(), [&](ValueId input) {
        return IsDropped(input) && !copies_.contains(input);
      });
      if (missing != inputs.end()) {
        open.push_back(graph_.value(*missing).producer);
        continue;
      }
      open.pop_back();
      CopyNode(id);
    }
    return copies_.at(dropped);
  }

  void CopyNode(NodeId id) {
    const Node node = graph_.node(id);  // a copy: the graph grows
    std::vector<ValueId> inputs = node.inputs;
    for (ValueId& input : inputs) {
      if (IsDropped(input)) input = copies_.at(input);
    }
    std::vector<std::string> names;
    for (ValueId output : node.outputs) {
      const std::string name = output == ValueId::kNone ? "" : graph_.value(output).name;
      names.push_back(graph_.FreshName(Text("again.", name)));
    }
    const NodeId copy =
        graph_.AddNode(node.op, std::move(inputs), std::move(names), node.attrs, node.name);
    graph_.mutable_node(copy).origin = node.origin;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId from = node.outputs[i], to = graph_.node(copy).outputs[i];
      if (from == ValueId::kNone) {
        graph_.RemoveOutput(copy, static_cast<int>(i));
        continue;
      }
      graph_.SetType(to, graph_.value(from).type);
      if (graph_.value(from).channels_last) graph_.SetChannelsLast(to);
      copies_[from] = to;
    }
  }

  Graph graph_;
  std::vector<NodeId> forward_;
  std::vector<int> place_;  // by node: in forward_; −1
  std::vector<bool> kept_;  // by value, of those before
  std::unordered_map<ValueId, ValueId> copies_;
};

}  // namespace

Graph Recompute(const Graph& step, ValueId loss, Recomputation how) {
  return Recomputer(step, loss).Run(how);
}

}  // namespace pare::train
