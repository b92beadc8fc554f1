// What follows its operands to channels-last: element by element, or along axes that are
// renumbered.
#include <algorithm>

#include "passes/layout.h"
#include "passes/layout_walk.h"
#include "passes/numbers.h"

namespace pare::passes {

using graph::Dim;
using graph::Ints;
using graph::Node;
using graph::NodeId;
using graph::Value;
using graph::ValueId;

namespace {

// Element by element, all operands broadcast alike.
bool IsElementwise(std::string_view op) {
#define PARE_UNARY(name, ...) #name,
#define PARE_BINARY(name, ...) #name,
  static constexpr std::string_view kOps[] = {
#include "ops/binary.inc"
#include "ops/unary.inc"
      "Cast",  "Clip", "Dropout", "Gelu",      "Identity",  "IsInf",
      "IsNaN", "Max",  "Mean",    "Min",       "Mod",       "Not",
      "Pow",   "Sum",  "Where",   "pare.QAdd", "pare.QMul", "pare.Silu"};
#undef PARE_UNARY
#undef PARE_BINARY
  return std::find(std::begin(kOps), std::end(kOps), op) != std::end(kOps);
}

bool IsReduction(std::string_view op) { return op.starts_with("Reduce") || op == "Squeeze"; }

}  // namespace

Result<bool> LayoutWalk::Follow(NodeId id) {
  const Node& node = graph_.node(id);
  const bool per_tensor = node.inputs.size() > 1 && node.inputs[1] != ValueId::kNone &&
                          type(node.inputs[1]).has_rank() && type(node.inputs[1]).rank() == 0;
  if (IsElementwise(node.op)) return FollowElementwise(id);
  if (OneOf(node.op, {"QuantizeLinear", "DequantizeLinear", "pare.FakeQuantize"})) {
    if (node.attrs.i("fit_pairs", 0) != 0) return false;  // pairs go by the order of dimensions
    return FollowAxis(id, 1, !per_tensor);
  }
  if (OneOf(node.op, {"Softmax", "LogSoftmax", "Hardmax"})) return FollowAxis(id, -1, true);
  if (node.op == "pare.Lut") return FollowAxis(id, 0, false);
  if (node.op == "Split") return FollowAxis(id, 0, true);
  if (node.op == "Concat") return FollowConcat(id);
  if (OneOf(node.op, {"ArgMax", "ArgMin"}) && node.attrs.i("keepdims", 1) != 0) {
    return FollowAxis(id, 0, true);
  }
  if (IsReduction(node.op)) return FollowReduction(id);
  if (node.op == "Pad") return FollowPad(id);
  if (node.op == "Slice") return FollowSlice(id);
  return false;
}

bool LayoutWalk::MayFollow(ValueId x, NodeId id) {
  return HasLast(x) && type(x).has_rank() && type(graph_.node(id).outputs[0]).has_rank() &&
         context_.Allow("follow-channels-last");
}

void LayoutWalk::OutputsBecomeLast(NodeId id) {
  const std::vector<ValueId> outputs = graph_.node(id).outputs;
  for (ValueId output : outputs) {
    if (output != ValueId::kNone && type(output).has_rank()) BecomesLast(output);
  }
}

LayoutWalk::Vote LayoutWalk::VoteOf(ValueId id, int rank) const {
  if (!type(id).has_rank()) return Vote::kNever;
  const auto& shape = *type(id).shape;
  const bool one = std::all_of(shape.begin(), shape.end(), [](Dim dim) { return dim == Dim(1); });
  if (HasLast(id) && type(id).rank() == rank) return Vote::kHas;
  if ((one && type(id).rank() <= rank) || graph_.is_constant(id)) return Vote::kFree;
  return type(id).rank() == rank ? Vote::kNeeds : Vote::kNever;
}

Result<bool> LayoutWalk::FollowElementwise(NodeId id) {
  const Node node = graph_.node(id);  // a copy: the graph grows
  if (!type(node.outputs[0]).has_rank() || !OnlyFirstOutput(node)) return false;
  const int rank = type(node.outputs[0]).rank();
  int has = 0, needs = 0;
  for (ValueId input : node.inputs) {
    if (input == ValueId::kNone) continue;
    const Vote vote = VoteOf(input, rank);
    if (vote == Vote::kNever) return false;
    has += vote == Vote::kHas;
    needs += vote == Vote::kNeeds;
  }
  if (has == 0 || has < needs || !context_.Allow("follow-channels-last")) return false;
  const std::vector<ValueId> inputs = node.inputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == ValueId::kNone) continue;
    if (VoteOf(inputs[i], rank) == Vote::kFree) {
      graph_.SetInput(id, static_cast<int>(i), BroadcastLast(inputs[i], rank));
    } else {
      PARE_TRY(TakeLast(id, i));
    }
  }
  OutputsBecomeLast(id);
  return true;
}

ValueId LayoutWalk::BroadcastLast(ValueId id, int rank) {
  const Value& value = graph_.value(id);
  if (!graph_.is_constant(id) || value.data.count() == 1) return id;
  const auto known = broadcast_.find({id, rank});
  if (known != broadcast_.end()) return known->second;
  Dims dims = value.data.shape();
  dims.insert(dims.begin(), static_cast<size_t>(rank) - dims.size(), 1);
  const Tensor last = Transposed(value.data.Reshaped(dims), ToLast(rank));
  const ValueId made = graph_.AddConstant(graph_.FreshName(value.name + ".nhwc"), last);
  broadcast_.emplace(std::pair(id, rank), made);
  return made;
}

Result<bool> LayoutWalk::FollowAxis(NodeId id, int64_t default_axis, bool has_axis) {
  const Node node = graph_.node(id);  // a copy: the graph grows
  const ValueId x = node.inputs[0];
  if (!MayFollow(x, id)) return false;
  PARE_TRY(TakeLast(id, 0));
  if (has_axis) {
    const int64_t axis = AxisInLast(node.attrs.i("axis", default_axis), type(x).rank());
    graph_.mutable_node(id).attrs.set("axis", axis);
  }
  OutputsBecomeLast(id);
  return true;
}

Result<bool> LayoutWalk::FollowConcat(NodeId id) {
  const Node node = graph_.node(id);  // a copy: the graph grows
  const int last = static_cast<int>(
      std::count_if(node.inputs.begin(), node.inputs.end(), [&](ValueId x) { return HasLast(x); }));
  if (2 * last < std::ssize(node.inputs) || last == 0) return false;
  for (ValueId input : node.inputs) {
    if (!type(input).has_rank()) return false;
  }
  if (!type(node.outputs[0]).has_rank() || !context_.Allow("follow-channels-last")) return false;
  const int rank = type(node.outputs[0]).rank();
  for (size_t i = 0; i < graph_.node(id).inputs.size(); ++i) PARE_TRY(TakeLast(id, i));
  Node& changed = graph_.mutable_node(id);
  changed.attrs.set("axis", AxisInLast(changed.attrs.i("axis", 0), rank));
  OutputsBecomeLast(id);
  return true;
}

std::optional<Ints> LayoutWalk::Integers(const Node& node, size_t i) const {
  if (i >= node.inputs.size() || !graph_.is_constant(node.inputs[i])) return std::nullopt;
  const auto values = ToInt64s(graph_.value(node.inputs[i]).data);
  return values ? std::optional(*values) : std::nullopt;
}

void LayoutWalk::SetIntegers(NodeId id, size_t i, std::string_view what, const Ints& values) {
  const std::string name =
      graph_.FreshName(Text(graph_.value(graph_.node(id).outputs[0]).name, ".", what));
  const auto count = static_cast<int64_t>(values.size());
  const ValueId constant = graph_.AddConstant(name, Tensor::Of<int64_t>({count}, values));
  while (graph_.node(id).inputs.size() <= i) graph_.AppendInput(id, ValueId::kNone);
  graph_.SetInput(id, static_cast<int>(i), constant);
}

// Reductions over given axes, and Squeeze. Without the reduced dimensions the others must stand
// in the same order in both forms: then the result is plain.
Result<bool> LayoutWalk::FollowReduction(NodeId id) {
  const Node node = graph_.node(id);  // a copy: the graph grows
  auto axes = Integers(node, 1);
  if (!axes || axes->empty() || !HasLast(node.inputs[0])) return false;
  const int rank = type(node.inputs[0]).rank();
  for (int64_t& axis : *axes) axis = axis < 0 ? axis + rank : axis;
  const bool keeps = node.op != "Squeeze" && node.attrs.i("keepdims", 1) != 0;
  Ints order;  // of the dimensions that stay, as they stand in the last form
  for (int64_t axis : ToLast(rank)) {
    if (std::find(axes->begin(), axes->end(), axis) == axes->end()) order.push_back(axis);
  }
  if (!keeps && !std::is_sorted(order.begin(), order.end())) return false;
  if (!MayFollow(node.inputs[0], id)) return false;
  PARE_TRY(TakeLast(id, 0));
  for (int64_t& axis : *axes) axis = AxisInLast(axis, rank);
  std::sort(axes->begin(), axes->end());
  SetIntegers(id, 1, "axes", *axes);
  if (keeps) OutputsBecomeLast(id);
  return true;
}

Result<bool> LayoutWalk::FollowPad(NodeId id) {
  const Node node = graph_.node(id);  // a copy: the graph grows
  const auto pads = Integers(node, 1);
  if (!pads || node.has_input(3) || !HasLast(node.inputs[0])) return false;
  const int rank = type(node.inputs[0]).rank();
  if (std::ssize(*pads) != 2 * rank || !MayFollow(node.inputs[0], id)) return false;
  PARE_TRY(TakeLast(id, 0));
  Ints permuted;
  for (int side = 0; side < 2; ++side) {
    for (int64_t axis : ToLast(rank)) permuted.push_back((*pads)[side * rank + axis]);
  }
  SetIntegers(id, 1, "pads", permuted);
  OutputsBecomeLast(id);
  return true;
}

Result<bool> LayoutWalk::FollowSlice(NodeId id) {
  const Node node = graph_.node(id);  // a copy: the graph grows
  if (!HasLast(node.inputs[0])) return false;
  const int rank = type(node.inputs[0]).rank();
  Ints axes;
  if (!node.has_input(3)) {
    const auto starts = Integers(node, 1);
    if (!starts) return false;
    for (size_t i = 0; i < starts->size(); ++i) axes.push_back(static_cast<int64_t>(i));
  } else {
    const auto given = Integers(node, 3);
    if (!given) return false;
    axes = *given;
  }
  if (!MayFollow(node.inputs[0], id)) return false;
  PARE_TRY(TakeLast(id, 0));
  for (int64_t& axis : axes) axis = AxisInLast(axis, rank);
  SetIntegers(id, 3, "axes", axes);
  OutputsBecomeLast(id);
  return true;
}

}  // namespace pare::passes
