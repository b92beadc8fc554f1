// Common subexpressions: nodes with the same operator, operands and attributes, and constants of
// the same bytes, become one. One walk in the order of computation, so that equal operands are
// already one when their users are compared.
#include <algorithm>
#include <unordered_map>

#include "ops/op_def.h"
#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr size_t kComparedBytes = 4096;  // larger constants are equal only where they share bytes

size_t Mix(size_t hash, size_t value) { return (hash ^ value) * 0x9e3779b97f4a7c15u; }

size_t HashOf(const Node& node) {
  size_t hash = std::hash<std::string>()(node.op);
  for (ValueId input : node.inputs) hash = Mix(hash, static_cast<size_t>(input) + 1);
  for (const auto& [name, value] : node.attrs) hash = Mix(hash, std::hash<std::string>()(name));
  return Mix(hash, node.outputs.size());
}

size_t HashOf(const Tensor& data) {
  size_t hash = Mix(static_cast<size_t>(data.dtype()), data.bytes());
  for (int64_t dim : data.shape()) hash = Mix(hash, static_cast<size_t>(dim));
  if (data.bytes() > kComparedBytes) return Mix(hash, reinterpret_cast<size_t>(data.data()));
  const std::string_view bytes(reinterpret_cast<const char*>(data.data()), data.bytes());
  return Mix(hash, std::hash<std::string_view>()(bytes));
}

bool Equal(const Tensor& a, const Tensor& b) {
  return a.bytes() > kComparedBytes
             ? a.data() == b.data() && a.dtype() == b.dtype() && a.shape() == b.shape()
             : graph::SameTensor(a, b);
}

bool Equal(const Node& a, const Node& b) {
  return a.op == b.op && a.inputs == b.inputs && a.outputs.size() == b.outputs.size() &&
         graph::SameAttrs(a.attrs, b.attrs);
}

// Whether `a` has all the outputs that `b` has.
bool Provides(const Node& a, const Node& b) {
  return std::equal(
      a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(),
      [](ValueId of_a, ValueId of_b) { return of_a != ValueId::kNone || of_b == ValueId::kNone; });
}

class Merger {
 public:
  explicit Merger(PassContext& context) : context_(context), graph_(context.graph()) {}

  void Run() {
    for (NodeId id : graph_.Order()) {
      const std::vector<ValueId> inputs = graph_.node(id).inputs;
      for (ValueId input : inputs) {
        if (graph_.is_constant(input)) MergeConstant(input);
      }
      MergeNode(id);
    }
  }

 private:
  void MergeConstant(ValueId id) {
    if (graph_.value(id).overridable) return;  // another value may be given for each
    auto [begin, end] = constants_.equal_range(HashOf(graph_.value(id).data));
    for (auto at = begin; at != end; ++at) {
      if (at->second == id) return;
      if (!Equal(graph_.value(at->second).data, graph_.value(id).data)) continue;
      if (!graph_.is_visible(id) && context_.Allow("merge-constants")) {
        graph_.ReplaceUses(id, at->second);
      }
      return;
    }
    constants_.emplace(HashOf(graph_.value(id).data), id);
  }

  void MergeNode(NodeId id) {
    const Node& node = graph_.node(id);
    const ops::OpDef* op = ops::FindOp(node.op);
    if (!op || !op->foldable) return;
    const size_t hash = HashOf(node);
    auto [begin, end] = nodes_.equal_range(hash);
    for (auto at = begin; at != end; ++at) {
      const Node& first = graph_.node(at->second);
      if (!Equal(first, node) || !Provides(first, node)) continue;
      const bool visible = std::any_of(
          node.outputs.begin(), node.outputs.end(),
          [&](ValueId output) { return output != ValueId::kNone && graph_.is_visible(output); });
      if (visible || !context_.Allow("merge-nodes")) return;
      for (size_t i = 0; i < node.outputs.size(); ++i) {
        if (node.outputs[i] != ValueId::kNone)
          graph_.ReplaceUses(node.outputs[i], first.outputs[i]);
      }
      graph_.RemoveNode(id);
      return;
    }
    nodes_.emplace(hash, id);
  }

  PassContext& context_;
  Graph& graph_;
  std::unordered_multimap<size_t, NodeId> nodes_;
  std::unordered_multimap<size_t, ValueId> constants_;
};

}  // namespace

Status MergeEqual(PassContext& context) {
  Merger(context).Run();
  return {};
}

}  // namespace pare::passes
