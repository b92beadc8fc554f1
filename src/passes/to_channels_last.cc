// Spatial operators compute channels-last. One walk in the order of computation: each value is
// known to be *plain* (N,C,spatial…) or *last* (N,spatial…,C). A spatial operator takes its image
// last and gives its result last. What only goes element by element, or along axes that can be
// renumbered, follows its operands; everything else asks for plain ones. A Transpose is made only
// where a value is asked for in the form that it does not have, once for each value; so nothing
// needs to be cancelled afterwards.
//
// Nodes are changed in place: a value that becomes last keeps its name.
#include <algorithm>

#include "passes/layout.h"
#include "passes/layout_walk.h"
#include "passes/numbers.h"

namespace pare::passes {

using graph::Ints;
using graph::Node;
using graph::NodeId;
using graph::TensorType;
using graph::Value;
using graph::ValueId;

namespace {

// Worth a Transpose of its input.
bool IsHeavySpatial(std::string_view op) {
  return OneOf(op, {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"});
}

// Has a channels-last form, but gains nothing by it where its input is plain.
bool IsLightSpatial(std::string_view op) {
  return OneOf(op, {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "BatchNormalization",
                    "InstanceNormalization", "GroupNormalization", "LRN", "Resize", "DepthToSpace",
                    "SpaceToDepth", "pare.BatchNorm"});
}

}  // namespace

Status LayoutWalk::Run() {
  const std::vector<NodeId> order = graph_.Order();
  const bool any = std::any_of(order.begin(), order.end(), [&](NodeId id) {
    return IsHeavySpatial(graph_.node(id).op) || graph_.node(id).op.starts_with("pare.Q");
  });
  if (!any) return {};
  for (NodeId id : order) PARE_TRY(Visit(id));
  for (size_t i = 0; i < graph_.outputs().size(); ++i) {
    PARE_ASSIGN(const ValueId plain, Plain(graph_.outputs()[i].value));
    graph_.SetOutputValue(static_cast<int>(i), plain);
  }
  graph_.RemoveDead();
  return context_.Infer();
}

void LayoutWalk::BecomesLast(ValueId id) {
  last_.insert(id);
  graph_.SetChannelsLast(id);
  graph_.SetType(id, Permuted(type(id), ToLast(type(id).rank())));
}

Result<ValueId> LayoutWalk::AddNode(std::string op, std::vector<ValueId> inputs, std::string name,
                                    graph::Attrs attrs) {
  const NodeId id =
      graph_.AddNode(std::move(op), std::move(inputs), {graph_.FreshName(name)}, std::move(attrs));
  PARE_TRY(ops::InferNode(graph_, id, context_.dims()));
  return graph_.node(id).outputs[0];
}

Result<ValueId> LayoutWalk::Transpose(ValueId id, const Ints& perm, std::string_view suffix) {
  const Value& value = graph_.value(id);
  const std::string name = value.name + std::string(suffix);
  if (graph_.is_constant(id)) {
    return graph_.AddConstant(graph_.FreshName(name), Transposed(value.data, perm));
  }
  const TensorType from = value.type;
  const TensorType to = Permuted(from, perm);
  const auto target = ReshapeTarget(*from.shape, *to.shape);
  if (target && IsReshape(*from.shape, perm)) {
    const auto count = static_cast<int64_t>(target->size());
    const ValueId shape = graph_.AddConstant(graph_.FreshName(name + ".shape"),
                                             Tensor::Of<int64_t>({count}, *target));
    return AddNode("Reshape", {id, shape}, name, {});
  }
  return AddNode("Transpose", {id}, name, {{"perm", perm}});
}

Result<ValueId> LayoutWalk::Other(ValueId id) {
  const auto known = other_.find(id);
  if (known != other_.end()) return known->second;
  const bool last = IsLast(id);
  const int rank = type(id).rank();
  PARE_ASSIGN(const ValueId other,
              Transpose(id, last ? ToFirst(rank) : ToLast(rank), last ? ".nchw" : ".nhwc"));
  other_.emplace(id, other);
  return other;
}

Status LayoutWalk::Visit(NodeId id) {
  const Node& node = graph_.node(id);
  PARE_ASSIGN(const bool spatial, VisitSpatial(id));
  if (spatial) return {};
  if (node.op == "Transpose") return VisitTranspose(id);
  PARE_ASSIGN(const bool followed, Follow(id));
  if (followed) return {};
  for (size_t i = 0; i < graph_.node(id).inputs.size(); ++i) PARE_TRY(TakePlain(id, i));
  return {};
}

Status LayoutWalk::TakePlain(NodeId id, size_t input) {
  const ValueId value = graph_.node(id).inputs[input];
  if (value == ValueId::kNone || !IsLast(value)) return {};
  PARE_ASSIGN(const ValueId plain, Plain(value));
  graph_.SetInput(id, static_cast<int>(input), plain);
  return {};
}

Status LayoutWalk::TakeLast(NodeId id, size_t input) {
  if (input >= graph_.node(id).inputs.size()) return {};
  const ValueId value = graph_.node(id).inputs[input];
  if (value == ValueId::kNone) return {};
  PARE_ASSIGN(const ValueId last, Last(value));
  graph_.SetInput(id, static_cast<int>(input), last);
  return {};
}

bool LayoutWalk::OnlyFirstOutput(const Node& node) const {
  return std::all_of(node.outputs.begin() + 1, node.outputs.end(), [&](ValueId output) {
    return output == ValueId::kNone ||
           (graph_.value(output).uses.empty() && !graph_.is_visible(output));
  });
}

Result<bool> LayoutWalk::VisitSpatial(NodeId id) {
  const Node node = graph_.node(id);  // a copy: the graph grows
  const bool heavy = IsHeavySpatial(node.op);
  if ((!heavy && !IsLightSpatial(node.op)) || node.attrs.i("channels_last", 0) != 0) return false;
  const ValueId x = node.inputs[0];
  // Its other outputs have no layout.
  const bool batch_norm = node.op == "pare.BatchNorm";
  if (!type(x).has_rank() || !type(node.outputs[0]).has_rank()) return false;
  if (!batch_norm && !OnlyFirstOutput(node)) return false;
  const int rank = type(x).rank();
  if (rank < 3 || rank > 5 || (!heavy && !HasLast(x))) return false;
  if (!context_.Allow("channels-last")) return false;
  PARE_TRY(TakeLast(id, 0));
  if (node.op == "Conv" || node.op == "ConvTranspose") {
    PARE_TRY(TakeWeightsLast(id));
    PARE_TRY(TakeLast(id, 3));  // the residual
  }
  if (batch_norm) PARE_TRY(TakeLast(id, 5));  // the residual
  graph_.mutable_node(id).attrs.set("channels_last", int64_t{1});
  BecomesLast(graph_.node(id).outputs[0]);
  return true;
}

// Weights are [out, in/group, k…] and become [out, k…, in/group]; through a DequantizeLinear,
// too.
Status LayoutWalk::TakeWeightsLast(NodeId id) {
  const ValueId weights = graph_.node(id).inputs[1];
  const auto known = weights_.find(weights);
  if (known != weights_.end()) {
    graph_.SetInput(id, 1, known->second);
    return {};
  }
  if (!type(weights).has_rank()) return Unsupported("the rank of its weights is not known");
  const int rank = type(weights).rank();
  const Node* producer = graph_.producer_of(weights);
  ValueId last = ValueId::kNone;
  if (producer && producer->op == "DequantizeLinear" && graph_.is_constant(producer->inputs[0])) {
    graph::Attrs attrs = producer->attrs;
    attrs.set("axis", AxisInLast(attrs.i("axis", 1), rank));
    std::vector<ValueId> inputs = producer->inputs;
    PARE_ASSIGN(inputs[0], Transpose(inputs[0], ToLast(rank), ".last"));
    PARE_ASSIGN(last, AddNode("DequantizeLinear", std::move(inputs),
                              graph_.value(weights).name + ".last", std::move(attrs)));
  } else {
    PARE_ASSIGN(last, Transpose(weights, ToLast(rank), ".last"));
  }
  weights_.emplace(weights, last);
  graph_.SetInput(id, 1, last);
  return {};
}

// A Transpose of the source: of a last value it becomes another one (often none); of a plain one
// it may be the plain form of a last value that the source itself held.
Status LayoutWalk::VisitTranspose(NodeId id) {
  const Node& node = graph_.node(id);
  const ValueId x = node.inputs[0], y = node.outputs[0];
  if (!type(x).has_rank()) return {};
  const int rank = type(x).rank();
  Ints perm = node.attrs.ints("perm");
  if (std::ssize(perm) != rank) return TakePlain(id, 0);
  if (IsLast(x)) {
    for (int64_t& axis : perm) axis = AxisInLast(axis, rank);
    graph_.mutable_node(id).attrs.set("perm", perm);
  } else if (rank >= 3 && rank <= 5 && perm == ToFirst(rank)) {
    other_.emplace(y, x);
  }
  return {};
}

Status ToChannelsLast(PassContext& context) { return LayoutWalk(context).Run(); }

}  // namespace pare::passes
