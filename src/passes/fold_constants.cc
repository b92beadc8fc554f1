// One walk in the order of computation. A node is inferred anew when the walk comes to it: what was
// folded before may have told its type (the sizes of a Resize, computed in floats).
#include <algorithm>

#include "ops/op_def.h"
#include "ops/prepare.h"
#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::Shape;
using graph::TensorType;
using graph::Value;
using graph::ValueId;

// A constant may grow to this, whatever it is made from …
constexpr size_t kAlwaysBytes = 64 << 10;
// … and else to so many times its sources: int8 weights to floats, but no Expand of a scalar.
constexpr size_t kGrowth = 8;

bool IsQuantization(std::string_view op) {
  return op == "DequantizeLinear" || op == "QuantizeLinear" || op == "DynamicQuantizeLinear";
}

bool AllInputsConstant(const Graph& graph, const Node& node) {
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
    return input == ValueId::kNone || graph.is_constant(input);
  });
}

bool SmallEnough(const Graph& graph, const Node& node) {
  size_t from = 0, to = 0;
  for (ValueId input : node.inputs) {
    if (input != ValueId::kNone) from += graph.value(input).data.bytes();
  }
  for (ValueId output : node.outputs) {
    if (output == ValueId::kNone) continue;
    const TensorType& type = graph.value(output).type;
    if (type.dtype == DType::kNone || !type.is_static()) return false;
    const auto count = CountOf(type.dims());
    if (!count || *count > int64_t{1} << 40) return false;
    to += static_cast<size_t>(*count) * SizeOf(type.dtype);
  }
  return to <= std::max(kAlwaysBytes, kGrowth * from);
}

bool AnyPinned(const Graph& graph, const Node& node) {
  return std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
    return output != ValueId::kNone && graph.value(output).pinned;
  });
}

// Evaluates the node. A node that can't be (its record refuses) stays, and is reported when the
// graph is compiled.
void Evaluate(PassContext& context, NodeId id) {
  Graph& graph = context.graph();
  const Node& node = graph.node(id);
  auto results = ops::Evaluate(graph, node);
  if (!results || !context.Allow("evaluate")) return;
  const std::vector<ValueId> outputs = node.outputs;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] != ValueId::kNone) graph.MakeConstant(outputs[i], std::move((*results)[i]));
  }
}

// The elements of an integer value that shape arithmetic knows in full.
std::optional<Tensor> KnownValue(const Value& value, const Shape& dims) {
  const bool integers = value.type.dtype == DType::kI64 || value.type.dtype == DType::kI32;
  if (!integers || !value.type.shape || value.type.rank() > 1) return std::nullopt;
  std::vector<int64_t> elements;
  for (graph::Dim dim : dims) {
    if (!dim.known()) return std::nullopt;
    elements.push_back(dim.size());
  }
  const auto count = static_cast<int64_t>(elements.size());
  if (value.type.rank() == 0 && count != 1) return std::nullopt;
  const Tensor wide = Tensor::Of<int64_t>(value.type.rank() == 0 ? Dims{} : Dims{count}, elements);
  auto typed = Cast(wide, value.type.dtype);
  return typed ? std::optional(std::move(*typed)) : std::nullopt;
}

void FoldKnown(PassContext& context, NodeId id) {
  Graph& graph = context.graph();
  const std::vector<ValueId> outputs = graph.node(id).outputs;
  for (ValueId output : outputs) {
    const auto known = context.dims().find(output);
    if (output == ValueId::kNone || known == context.dims().end()) continue;
    auto value = KnownValue(graph.value(output), known->second);
    if (value && context.Allow("know-shape")) graph.MakeConstant(output, std::move(*value));
  }
}

Status Fold(PassContext& context, bool quantized_too) {
  Graph& graph = context.graph();
  for (NodeId id : graph.Order()) {
    if (!graph.node(id).live) continue;
    PARE_TRY(ops::InferNode(graph, id, context.dims()));
    const Node& node = graph.node(id);
    const ops::OpDef* op = ops::FindOp(node.op);
    if (!op || !op->foldable || AnyPinned(graph, node)) continue;
    if (!quantized_too && IsQuantization(node.op)) continue;
    if (AllInputsConstant(graph, node) && SmallEnough(graph, node)) {
      Evaluate(context, id);
    } else {
      FoldKnown(context, id);
    }
  }
  return {};
}

}  // namespace

Status FoldConstants(PassContext& context) { return Fold(context, false); }
Status FoldQuantizedConstants(PassContext& context) { return Fold(context, true); }

Status RemoveDead(PassContext& context) {
  const int removed = context.graph().RemoveDead();
  for (int i = 0; i < removed; ++i) (void)context.Allow("remove-dead");
  return {};
}

}  // namespace pare::passes
