// Spatial operators compute channels-last. One walk in the order of computation: each value is
// known to be *plain* (N,C,spatial…) or *last* (N,spatial…,C). A spatial operator takes its image
// last and gives its result last. What only goes element by element, or along axes that can be
// renumbered, follows its operands; everything else asks for plain ones. A Transpose is made only
// where a value is asked for in the form that it does not have, once for each value; so nothing
// needs to be cancelled afterwards.
//
// Nodes are changed in place: a value that becomes last keeps its name.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "passes/layout.h"
#include "passes/numbers.h"
#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Dim;
using graph::Graph;
using graph::Ints;
using graph::Node;
using graph::NodeId;
using graph::TensorType;
using graph::Value;
using graph::ValueId;

bool OneOf(std::string_view op, std::initializer_list<std::string_view> ops) {
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

// Worth a Transpose of its input.
bool IsHeavySpatial(std::string_view op) {
  return OneOf(op, {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"});
}

// Has a channels-last form, but gains nothing by it where its input is plain.
bool IsLightSpatial(std::string_view op) {
  return OneOf(op, {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "BatchNormalization",
                    "InstanceNormalization", "GroupNormalization", "LRN", "Resize", "DepthToSpace",
                    "SpaceToDepth"});
}

// Element by element, all operands broadcast alike.
bool IsElementwise(std::string_view op) {
  return OneOf(op, {"Abs",
                    "Acos",
                    "Acosh",
                    "Add",
                    "And",
                    "Asin",
                    "Asinh",
                    "Atan",
                    "Atanh",
                    "Cast",
                    "Ceil",
                    "Celu",
                    "Clip",
                    "Cos",
                    "Cosh",
                    "Div",
                    "Dropout",
                    "Elu",
                    "Equal",
                    "Erf",
                    "Exp",
                    "Floor",
                    "Gelu",
                    "Greater",
                    "GreaterOrEqual",
                    "HardSigmoid",
                    "HardSwish",
                    "Identity",
                    "IsInf",
                    "IsNaN",
                    "LeakyRelu",
                    "Less",
                    "LessOrEqual",
                    "Log",
                    "Max",
                    "Mean",
                    "Min",
                    "Mish",
                    "Mod",
                    "Mul",
                    "Neg",
                    "Not",
                    "Or",
                    "PRelu",
                    "Pow",
                    "Reciprocal",
                    "Relu",
                    "Round",
                    "Selu",
                    "Sigmoid",
                    "Sign",
                    "Sin",
                    "Sinh",
                    "Softplus",
                    "Softsign",
                    "Sqrt",
                    "Sub",
                    "Sum",
                    "Tan",
                    "Tanh",
                    "ThresholdedRelu",
                    "Where",
                    "Xor",
                    "pare.Lut",
                    "pare.QAdd",
                    "pare.QMul",
                    "pare.Silu"});
}

bool IsReduction(std::string_view op) { return op.starts_with("Reduce") || op == "Squeeze"; }

class ToLastPass {
 public:
  explicit ToLastPass(PassContext& context) : context_(context), graph_(context.graph()) {}

  Status Run() {
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

 private:
  // --- values
  const TensorType& type(ValueId id) const { return graph_.value(id).type; }
  bool IsLast(ValueId id) const { return last_.contains(id); }
  // Whether a last form costs nothing now.
  bool HasLast(ValueId id) const { return IsLast(id) || other_.contains(id); }

  void BecomesLast(ValueId id) {
    last_.insert(id);
    graph_.SetChannelsLast(id);
    graph_.SetType(id, Permuted(type(id), ToLast(type(id).rank())));
  }

  Result<ValueId> AddNode(std::string op, std::vector<ValueId> inputs, std::string name,
                          graph::Attrs attrs) {
    const NodeId id = graph_.AddNode(std::move(op), std::move(inputs), {graph_.FreshName(name)},
                                     std::move(attrs));
    PARE_TRY(ops::InferNode(graph_, id, context_.dims()));
    return graph_.node(id).outputs[0];
  }

  Result<ValueId> Transpose(ValueId id, const Ints& perm, std::string_view suffix) {
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

  Result<ValueId> Other(ValueId id) {
    const auto known = other_.find(id);
    if (known != other_.end()) return known->second;
    const bool last = IsLast(id);
    const int rank = type(id).rank();
    PARE_ASSIGN(const ValueId other,
                Transpose(id, last ? ToFirst(rank) : ToLast(rank), last ? ".nchw" : ".nhwc"));
    other_.emplace(id, other);
    return other;
  }
  Result<ValueId> Last(ValueId id) { return IsLast(id) ? Result<ValueId>(id) : Other(id); }
  Result<ValueId> Plain(ValueId id) { return IsLast(id) ? Other(id) : Result<ValueId>(id); }

  // --- nodes
  Status Visit(NodeId id) {
    const Node& node = graph_.node(id);
    PARE_ASSIGN(const bool spatial, VisitSpatial(id));
    if (spatial) return {};
    if (node.op == "Transpose") return VisitTranspose(id);
    PARE_ASSIGN(const bool followed, Follow(id));
    if (followed) return {};
    for (size_t i = 0; i < graph_.node(id).inputs.size(); ++i) PARE_TRY(TakePlain(id, i));
    return {};
  }

  Status TakePlain(NodeId id, size_t input) {
    const ValueId value = graph_.node(id).inputs[input];
    if (value == ValueId::kNone || !IsLast(value)) return {};
    PARE_ASSIGN(const ValueId plain, Plain(value));
    graph_.SetInput(id, static_cast<int>(input), plain);
    return {};
  }
  Status TakeLast(NodeId id, size_t input) {
    if (input >= graph_.node(id).inputs.size()) return {};
    const ValueId value = graph_.node(id).inputs[input];
    if (value == ValueId::kNone) return {};
    PARE_ASSIGN(const ValueId last, Last(value));
    graph_.SetInput(id, static_cast<int>(input), last);
    return {};
  }

  bool OnlyFirstOutput(const Node& node) const {
    return std::all_of(node.outputs.begin() + 1, node.outputs.end(), [&](ValueId output) {
      return output == ValueId::kNone ||
             (graph_.value(output).uses.empty() && !graph_.is_visible(output));
    });
  }

  // Whether it is a spatial operator that computes last from now on.
  Result<bool> VisitSpatial(NodeId id) {
    const Node node = graph_.node(id);  // a copy: the graph grows
    const bool heavy = IsHeavySpatial(node.op);
    if ((!heavy && !IsLightSpatial(node.op)) || node.attrs.i("channels_last", 0) != 0) return false;
    const ValueId x = node.inputs[0];
    if (!type(x).has_rank() || !type(node.outputs[0]).has_rank() || !OnlyFirstOutput(node))
      return false;
    const int rank = type(x).rank();
    if (rank < 3 || rank > 5 || (!heavy && !HasLast(x))) return false;
    if (!context_.Allow("channels-last")) return false;
    PARE_TRY(TakeLast(id, 0));
    if (node.op == "Conv" || node.op == "ConvTranspose") {
      PARE_TRY(TakeWeightsLast(id));
      PARE_TRY(TakeLast(id, 3));  // the residual
    }
    graph_.mutable_node(id).attrs.set("channels_last", int64_t{1});
    BecomesLast(graph_.node(id).outputs[0]);
    return true;
  }

  // Weights are [out, in/group, k…] and become [out, k…, in/group]; through a DequantizeLinear,
  // too.
  Status TakeWeightsLast(NodeId id) {
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
  Status VisitTranspose(NodeId id) {
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

  // Whether the node computes on last operands now.
  Result<bool> Follow(NodeId id) {
    const Node& node = graph_.node(id);
    const bool per_tensor = node.inputs.size() > 1 && node.inputs[1] != ValueId::kNone &&
                            type(node.inputs[1]).has_rank() && type(node.inputs[1]).rank() == 0;
    if (IsElementwise(node.op)) return FollowElementwise(id);
    if (node.op == "QuantizeLinear" || node.op == "DequantizeLinear") {
      return FollowAxis(id, 1, !per_tensor);
    }
    if (OneOf(node.op, {"Softmax", "LogSoftmax", "Hardmax"})) return FollowAxis(id, -1, true);
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

  bool MayFollow(ValueId x, NodeId id) {
    return HasLast(x) && type(x).has_rank() && type(graph_.node(id).outputs[0]).has_rank() &&
           context_.Allow("follow-channels-last");
  }

  void OutputsBecomeLast(NodeId id) {
    const std::vector<ValueId> outputs = graph_.node(id).outputs;
    for (ValueId output : outputs) {
      if (output != ValueId::kNone && type(output).has_rank()) BecomesLast(output);
    }
  }

  // What an operand of an element-wise node of `rank` dimensions says to computing last.
  enum class Vote : uint8_t { kHas, kNeeds, kFree, kNever };
  Vote VoteOf(ValueId id, int rank) const {
    if (!type(id).has_rank()) return Vote::kNever;
    const auto& shape = *type(id).shape;
    const bool one = std::all_of(shape.begin(), shape.end(), [](Dim dim) { return dim == Dim(1); });
    if (HasLast(id) && type(id).rank() == rank) return Vote::kHas;
    if ((one && type(id).rank() <= rank) || graph_.is_constant(id)) return Vote::kFree;
    return type(id).rank() == rank ? Vote::kNeeds : Vote::kNever;
  }

  Result<bool> FollowElementwise(NodeId id) {
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

  // A constant that broadcasts against `rank` plain dimensions, as it does against last ones.
  ValueId BroadcastLast(ValueId id, int rank) {
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

  Result<bool> FollowAxis(NodeId id, int64_t default_axis, bool has_axis) {
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

  Result<bool> FollowConcat(NodeId id) {
    const Node node = graph_.node(id);  // a copy: the graph grows
    const int last = static_cast<int>(std::count_if(node.inputs.begin(), node.inputs.end(),
                                                    [&](ValueId x) { return HasLast(x); }));
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

  // The integers of a constant operand; nullopt where it is absent or computed.
  std::optional<Ints> Integers(const Node& node, size_t i) const {
    if (i >= node.inputs.size() || !graph_.is_constant(node.inputs[i])) return std::nullopt;
    const auto values = ToInt64s(graph_.value(node.inputs[i]).data);
    return values ? std::optional(*values) : std::nullopt;
  }
  bool Absent(const Node& node, size_t i) const {
    return i >= node.inputs.size() || node.inputs[i] == ValueId::kNone;
  }
  void SetIntegers(NodeId id, size_t i, std::string_view what, const Ints& values) {
    const std::string name =
        graph_.FreshName(Text(graph_.value(graph_.node(id).outputs[0]).name, ".", what));
    const auto count = static_cast<int64_t>(values.size());
    const ValueId constant = graph_.AddConstant(name, Tensor::Of<int64_t>({count}, values));
    while (graph_.node(id).inputs.size() <= i) graph_.AppendInput(id, ValueId::kNone);
    graph_.SetInput(id, static_cast<int>(i), constant);
  }

  // Reductions over given axes, and Squeeze. Without the reduced dimensions the others must stand
  // in the same order in both forms: then the result is plain.
  Result<bool> FollowReduction(NodeId id) {
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

  Result<bool> FollowPad(NodeId id) {
    const Node node = graph_.node(id);  // a copy: the graph grows
    const auto pads = Integers(node, 1);
    if (!pads || !Absent(node, 3) || !HasLast(node.inputs[0])) return false;
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

  Result<bool> FollowSlice(NodeId id) {
    const Node node = graph_.node(id);  // a copy: the graph grows
    if (!HasLast(node.inputs[0])) return false;
    const int rank = type(node.inputs[0]).rank();
    Ints axes;
    if (Absent(node, 3)) {
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

  struct PairHash {
    size_t operator()(const std::pair<ValueId, int>& key) const {
      return static_cast<size_t>(key.first) * 8 + static_cast<size_t>(key.second);
    }
  };
  PassContext& context_;
  Graph& graph_;
  std::unordered_set<ValueId> last_;
  std::unordered_map<ValueId, ValueId> other_;    // the same value in the form that it hasn't
  std::unordered_map<ValueId, ValueId> weights_;  // of convolutions, channels-last
  std::unordered_map<std::pair<ValueId, int>, ValueId, PairHash> broadcast_;
};

}  // namespace

Status ToChannelsLast(PassContext& context) { return ToLastPass(context).Run(); }

}  // namespace pare::passes
