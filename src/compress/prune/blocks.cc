// A block is found backwards from its sum: all paths from one operand end at the other, or at
// constants, and nothing else reads what lies between.
#include "compress/prune/blocks.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "compress/prune/importance.h"
#include "graph/verify.h"
#include "ops/node_view.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

// The nodes between `in` and `end`; nothing where one of them reads, or is read, from elsewhere.
std::optional<std::set<NodeId>> Between(const Graph& graph, ValueId in, ValueId end, NodeId sum) {
  std::set<NodeId> between;
  std::vector<ValueId> open{end};
  bool reached = false;
  while (!open.empty()) {
    const ValueId value = open.back();
    open.pop_back();
    reached = reached || value == in;
    if (value == in || value == ValueId::kNone || graph.value(value).data) continue;
    const NodeId producer = graph.value(value).producer;
    if (producer == NodeId::kNone || graph.is_visible(value)) return std::nullopt;
    if (!between.insert(producer).second) continue;
    for (ValueId input : graph.node(producer).inputs) open.push_back(input);
  }
  for (NodeId id : between) {
    for (ValueId output : graph.node(id).outputs) {
      if (output == ValueId::kNone) continue;
      for (const graph::Use& use : graph.value(output).uses) {
        if (use.node != sum && !between.contains(use.node)) return std::nullopt;
      }
    }
  }
  return reached ? std::optional(between) : std::nullopt;
}

// What alone reads the sum and is of the operator that made `in`: the sum and what follows it go
// together, or the operator would be applied twice.
ValueId EndOfBlock(const Graph& graph, ValueId in, ValueId sum) {
  const Node* before = graph.producer_of(in);
  if (!before || graph.is_visible(sum) || graph.value(sum).uses.size() != 1) return sum;
  const graph::Use use = graph.value(sum).uses[0];
  const Node& after = graph.node(use.node);
  const bool alike = after.op == before->op && use.input == 0 && after.outputs.size() == 1;
  const bool again = after.op == "LayerNormalization" || after.op == "RMSNormalization" ||
                     after.op == "Relu" || after.op == "Clip";
  return alike && again ? after.outputs[0] : sum;
}

// The L2 norm of the last weights of more than one axis.
double ImportanceOf(const Graph& graph, const std::vector<NodeId>& branch) {
  for (auto id = branch.rbegin(); id != branch.rend(); ++id) {
    const Node& node = graph.node(*id);
    for (ValueId input : node.inputs) {
      if (input == ValueId::kNone) continue;
      const graph::Value& value = graph.value(input);
      if (!value.data || value.data.rank() < 2 || !IsFloat(value.data.dtype())) continue;
      const int axis = node.op == "Conv" ? 0 : value.data.rank() - 1;
      const auto squares = SquaresOfProducer(graph, *id, value.data, axis);
      double sum = 0;
      for (double square : squares) sum += square;
      return std::sqrt(sum);
    }
  }
  return 0;
}

std::optional<ResidualBlock> BlockOf(const Graph& graph, NodeId sum,
                                     const std::vector<NodeId>& order) {
  const Node& node = graph.node(sum);
  const ValueId out = node.outputs[0];
  for (int i : {0, 1}) {
    const ValueId in = node.inputs[i], end = node.inputs[1 - i];
    if (graph.value(in).data || graph.value(end).data) continue;
    if (graph.value(in).type != graph.value(out).type) continue;
    const auto between = Between(graph, in, end, sum);
    if (!between || between->empty()) continue;
    ResidualBlock block{graph.value(out).name, in, EndOfBlock(graph, in, out), {}, 0, 0};
    std::ranges::copy_if(order, std::back_inserter(block.branch),
                         [&](NodeId id) { return between->contains(id); });
    block.importance = ImportanceOf(graph, block.branch);
    if (block.importance > 0) return block;
  }
  return std::nullopt;
}

std::string StageOf(const Graph& graph, const ResidualBlock& block) {
  std::string stage = TypeText(graph.value(block.in).type, graph.symbols());
  for (NodeId id : block.branch) stage += ' ' + graph.node(id).op;
  return stage;
}

}  // namespace

std::vector<ResidualBlock> FindBlocks(const Graph& graph) {
  const std::vector<NodeId> order = graph.Order();
  std::vector<ResidualBlock> blocks;
  std::set<NodeId> inside;  // of blocks so far: sums come before those around them
  std::map<std::string, int> stages;
  for (NodeId id : order) {
    if (graph.node(id).op != "Add") continue;
    auto block = BlockOf(graph, id, order);
    if (!block) continue;
    const bool outer =
        std::ranges::any_of(block->branch, [&](NodeId node) { return inside.contains(node); });
    if (outer) continue;
    inside.insert(block->branch.begin(), block->branch.end());
    block->stage =
        stages.emplace(StageOf(graph, *block), static_cast<int>(stages.size())).first->second;
    blocks.push_back(std::move(*block));
  }
  return blocks;
}

Result<Graph> RemoveBlocks(const Graph& graph, const std::vector<ResidualBlock>& blocks) {
  Graph smaller = graph;
  std::map<ValueId, ValueId> now;  // the value of a removed block's end
  for (const ResidualBlock& block : blocks) {
    const auto moved = now.find(block.in);
    const ValueId in = moved == now.end() ? block.in : moved->second;
    smaller.ReplaceUses(block.out, in);
    now[block.out] = in;
  }
  smaller.RemoveDead();
  PARE_TRY(ops::InferTypes(smaller));
  PARE_TRY(graph::Verify(smaller));
  return smaller;
}

}  // namespace pare::compress
