#include "passes/rewriter.h"

#include <algorithm>
#include <deque>

namespace pare::passes {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

Status PassContext::Infer() {
  PARE_ASSIGN(dims_, ops::InferTypesAndDims(graph_));
  return {};
}

bool PassContext::Allow(std::string_view rule) {
  if (patches_left_ == 0 || (enabled_ && !enabled_(rule))) return false;
  if (patches_left_ > 0) --patches_left_;
  const auto at = counts_.find(rule);
  if (at == counts_.end()) {
    counts_.emplace(std::string(rule), 1);
  } else {
    ++at->second;
  }
  return true;
}

namespace {

// Nodes to look at, each once at a time, in the order of their coming.
class Worklist {
 public:
  void Push(NodeId id) {
    const auto index = static_cast<size_t>(id);
    if (queued_.size() <= index) queued_.resize(index + 1);
    if (queued_[index]) return;
    queued_[index] = true;
    queue_.push_back(id);
  }
  bool empty() const { return queue_.empty(); }
  NodeId Pop() {
    const NodeId id = queue_.front();
    queue_.pop_front();
    queued_[static_cast<size_t>(id)] = false;
    return id;
  }

 private:
  std::deque<NodeId> queue_;
  std::vector<bool> queued_;
};

// Whether only the first output of the node is seen: a rule speaks of no other.
bool OnlyFirstOutputUsed(const Graph& graph, const Node& node) {
  return std::all_of(node.outputs.begin() + 1, node.outputs.end(), [&](ValueId output) {
    return output == ValueId::kNone ||
           (graph.value(output).uses.empty() && !graph.is_visible(output));
  });
}

class Driver {
 public:
  Driver(PassContext& context, std::span<const Rule> rules) : context_(context), rules_(rules) {
    for (const Rule& rule : rules) {
      for (const std::string& op : rule.match.ops()) by_op_[op].push_back(&rule);
    }
  }

  Status Run() {
    Graph& graph = context_.graph();
    for (NodeId id : graph.Order()) Push(id);
    // A pair of rules that undo each other would go on for ever.
    int64_t patches_left = 16 * static_cast<int64_t>(graph.node_count()) + 1000;
    while (!worklist_.empty() && !context_.exhausted()) {
      const NodeId id = worklist_.Pop();
      if (!graph.node(id).live) continue;
      PARE_ASSIGN(const Rule* applied, Visit(id));
      if (applied && --patches_left == 0) {
        return Fail(ErrorKind::kInternal, Text("the rule ", applied->name, " comes to no end"));
      }
    }
    return {};
  }

 private:
  void Push(NodeId id) {
    const Node& node = context_.graph().node(id);
    if (node.live && by_op_.contains(node.op)) worklist_.Push(id);
  }

  Result<const Rule*> Visit(NodeId id) {
    Graph& graph = context_.graph();
    const Node& node = graph.node(id);
    const ValueId root = node.outputs.empty() ? ValueId::kNone : node.outputs[0];
    if (root == ValueId::kNone || !OnlyFirstOutputUsed(graph, node)) return nullptr;
    for (const Rule* rule : by_op_.at(node.op)) {
      Match match(graph);
      if (!rule->match.Matches(root, match)) continue;
      const std::string path = ops::NodePath(graph, graph.node(id));
      auto applied = Try(*rule, match);
      if (!applied) return Fail(applied.error().at(Text("rule ", rule->name)).at(path));
      if (*applied) return rule;
    }
    return nullptr;
  }

  Result<bool> Try(const Rule& rule, const Match& match) {
    Patch patch(context_.graph(), context_.dims());
    bool good = rule.rewrite(match, patch);
    if (good) {
      const Result<bool> lawful = patch.Check();
      if (!lawful && context_.strict()) return Fail(lawful.error());
      good = lawful && *lawful;
    }
    if (!good || !context_.Allow(rule.name)) {
      patch.GiveUp();
      return false;
    }
    for (NodeId touched : patch.Apply(rule.name, match.nodes())) Push(touched);
    // A user's pattern may reach through several nodes: look again from further down.
    for (NodeId added : patch.added()) PushUsers(added, kReach);
    return true;
  }

  void PushUsers(NodeId id, int reach) {
    const Node& node = context_.graph().node(id);
    if (reach == 0 || !node.live) return;
    for (ValueId output : node.outputs) {
      if (output == ValueId::kNone) continue;
      for (const graph::Use& use : context_.graph().value(output).uses) {
        Push(use.node);
        PushUsers(use.node, reach - 1);
      }
    }
  }

  static constexpr int kReach = 3;
  PassContext& context_;
  std::span<const Rule> rules_;
  std::map<std::string, std::vector<const Rule*>, std::less<>> by_op_;
  Worklist worklist_;
};

}  // namespace

Status Rewrite(PassContext& context, std::span<const Rule> rules) {
  return Driver(context, rules).Run();
}

}  // namespace pare::passes
