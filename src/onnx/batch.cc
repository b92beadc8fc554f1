#include "onnx/batch.h"

#include <algorithm>

#include "onnx/batch_flow.h"
#include "ops/node_view.h"

namespace pare::onnx {
namespace {

using graph::Dim;
using graph::Graph;
using graph::NodeId;
using graph::Shape;
using graph::TensorType;
using graph::ValueId;

// A name that the graph doesn't use for another size.
Dim NewSymbol(Graph& graph) {
  const auto& used = graph.symbols();
  std::string name = "N";
  for (int n = 0; std::ranges::find(used, name) != used.end(); ++n) name = Text("batch_", n);
  return Dim::Symbol(graph.AddSymbol(name));
}

void SetDim(Graph& graph, ValueId id, int axis, Dim dim) {
  TensorType type = graph.value(id).type;
  (*type.shape)[axis] = dim;
  graph.SetType(id, std::move(type));
}

// The inputs with a leading 1; an error text where another one has a fixed batch.
std::string FindInputs(const Graph& graph, std::vector<ValueId>& fixed) {
  for (ValueId id : graph.inputs()) {
    const TensorType& type = graph.value(id).type;
    if (!type.has_rank())
      return Text("the shape of the input ", graph.value(id).name, " is unknown");
    if (type.rank() == 0 || !type.shape->front().known()) continue;
    if (type.shape->front() != Dim(1)) {
      return Text("the input ", graph.value(id).name, " has a leading dimension of ",
                  type.shape->front().size());
    }
    fixed.push_back(id);
  }
  return "";
}

// Writes the batch into the types of a node's outputs: not every operator has inference.
void SetBatchDims(const BatchState& state, const graph::Node& node, Graph& graph) {
  for (ValueId output : node.outputs) {
    const auto at = state.carries.find(output);
    if (at == state.carries.end()) continue;
    const TensorType& type = graph.value(output).type;
    if (!type.has_rank() || type.rank() <= at->second.axis) continue;
    SetDim(graph, output, at->second.axis, at->second.times == 1 ? state.symbol : Dim::Unknown());
  }
}

std::string Follow(BatchState& state) {
  const Graph& graph = state.graph;
  ops::KnownDims dims;
  for (NodeId id : graph.Order()) {
    const graph::Node& node = graph.node(id);
    // A target that is fixed contradicts N here; its rule looks after that.
    (void)ops::InferNode(state.symbolic, id, dims);
    const bool reached = std::ranges::any_of(node.inputs, [&](ValueId input) {
      return state.carries.contains(input) || state.sizes.contains(input);
    });
    if (!reached) continue;
    Flow flow(state, id);
    std::string reason;
    if (!FollowBatch(flow, reason)) return Text(ops::NodePath(graph, node), ": ", reason);
    SetBatchDims(state, node, state.symbolic);
  }
  for (const graph::Output& output : graph.outputs()) {
    const auto at = state.carries.find(output.value);
    if (at == state.carries.end() || at->second != Carry{}) {
      return Text("the output ", output.name, " does not have the batch as its leading dimension");
    }
  }
  return "";
}

// Expand(operand, [1, …, N, …, 1]) in place of the operand, N from the shape of another value.
void ExpandOperand(const BatchState::Expansion& expansion, Graph& graph) {
  const ValueId operand = graph.node(expansion.node).inputs[expansion.input];
  const std::string stem = graph.value(operand).name;
  const auto add = [&](const char* op, std::vector<ValueId> inputs, graph::Attrs attrs) {
    const NodeId id = graph.AddNode(op, std::move(inputs), {graph.FreshName(Text(stem, '_', op))},
                                    std::move(attrs));
    return graph.node(id).outputs.front();
  };
  const auto ints = [&](const char* what, int count, int64_t value) {
    return graph.AddConstant(graph.FreshName(Text(stem, '_', what)),
                             Tensor::Of<int64_t>({count}, graph::Ints(count, value)));
  };
  const int behind = graph.value(operand).type.rank() - expansion.axis - 1;
  const ValueId shape = add("Shape", {expansion.like}, {});
  const ValueId count =
      add("Gather", {shape, ints("axis", 1, expansion.axis)}, {{"axis", int64_t{0}}});
  std::vector<ValueId> parts;
  if (expansion.axis > 0) parts.push_back(ints("ones", expansion.axis, 1));
  parts.push_back(count);
  if (behind > 0) parts.push_back(ints("ones", behind, 1));
  const ValueId target =
      parts.size() == 1 ? count : add("Concat", std::move(parts), {{"axis", int64_t{0}}});
  graph.SetInput(expansion.node, expansion.input, add("Expand", {operand, target}, {}));
}

void Apply(BatchState& state, Graph& graph) {
  for (const BatchState::Expansion& expansion : state.expansions) ExpandOperand(expansion, graph);
  for (const auto& [id, target] : state.targets) {
    const std::string stem = graph.value(graph.node(id).inputs[1]).name;
    const ValueId constant = graph.AddConstant(
        graph.FreshName(stem), Tensor::Of<int64_t>({static_cast<int64_t>(target.size())}, target));
    graph.SetInput(id, 1, constant);
  }
  for (const auto& [id, scales] : state.scales) {
    const std::string stem = graph.value(graph.node(id).inputs[3]).name;
    const ValueId constant =
        graph.AddConstant(graph.FreshName(Text(stem, "_scales")),
                          Tensor::Of<float>({static_cast<int64_t>(scales.size())}, scales));
    graph.SetInput(id, 2, constant);
    graph.RemoveLastInput(id);
  }
  for (NodeId id : graph.Order()) SetBatchDims(state, graph.node(id), graph);
}

// Inference loses N where it was part of a product in between.
void NameUnknownDims(const BatchState& state, Graph& graph) {
  for (const auto& [id, carry] : state.carries) {
    const TensorType& type = graph.value(id).type;
    if (carry.times == 1 && type.has_rank() && type.rank() > carry.axis &&
        (*type.shape)[carry.axis] == Dim::Unknown()) {
      SetDim(graph, id, carry.axis, state.symbol);
    }
  }
}

bool LeadsWith(const Graph& graph, ValueId id, Dim dim) {
  const TensorType& type = graph.value(id).type;
  return type.has_rank() && type.rank() > 0 && type.shape->front() == dim;
}

}  // namespace

BatchReport FreeBatch(Graph& graph) {
  std::vector<ValueId> fixed;
  if (std::string reason = FindInputs(graph, fixed); !reason.empty()) return {false, reason};
  if (fixed.empty()) return {};
  Graph sample = graph;
  const Status inferred = ops::InferTypes(sample);
  if (!inferred) return {false, inferred.error().message()};

  Graph symbolic = sample;
  Graph freed = sample;
  const Dim symbol = NewSymbol(symbolic);
  NewSymbol(freed);
  BatchState state{sample, symbolic, symbol, {}, {}, {}, {}, {}};
  for (ValueId id : fixed) {
    SetDim(symbolic, id, 0, symbol);
    SetDim(freed, id, 0, symbol);
    state.carries[id] = {};
  }
  if (std::string reason = Follow(state); !reason.empty()) return {false, reason};

  Apply(state, freed);
  const Status consistent = ops::InferTypes(freed);
  if (!consistent) return {false, consistent.error().message()};
  NameUnknownDims(state, freed);
  for (const graph::Output& output : freed.outputs()) {
    if (!LeadsWith(freed, output.value, symbol)) {
      return {false, Text("the leading dimension of the output ", output.name, " stays fixed")};
    }
  }
  graph = std::move(freed);
  return {true, ""};
}

}  // namespace pare::onnx
