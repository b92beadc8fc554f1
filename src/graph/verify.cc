#include "graph/verify.h"

#include <algorithm>
#include <set>

namespace pare::graph {
namespace {

auto Broken(std::string reason) { return Fail(ErrorKind::kInternal, std::move(reason)); }

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  Status Run() {
    for (size_t i = 0; i < graph_.node_count(); ++i) {
      const Node& node = graph_.node(static_cast<NodeId>(i));
      if (!node.live) continue;
      PARE_TRY(CheckNode(static_cast<NodeId>(i), node));
      ++live_nodes_;
      for (ValueId input : node.inputs) operands_ += input != ValueId::kNone;
    }
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      PARE_TRY(CheckUses(static_cast<ValueId>(i)));
    }
    // Every use is a true and different operand, so equal numbers mean that they are the same set.
    if (uses_ != operands_) return Broken("an operand is not among the uses of its value");
    PARE_TRY(CheckOutputs());
    PARE_TRY(CheckAssignments());
    if (graph_.Order().size() != live_nodes_) return Broken("the graph has a cycle");
    return {};
  }

 private:
  bool Exists(ValueId id) const {
    const auto index = static_cast<int32_t>(id);
    return index >= 0 && static_cast<size_t>(index) < graph_.value_count();
  }

  Status CheckReadable(ValueId id) const {
    if (!Exists(id)) return Broken("a value is used that does not exist");
    const Value& value = graph_.value(id);
    const auto wrong = [&](std::string_view why) {
      return Broken(Text("the value \"", value.name, "\" is used, but ", why));
    };
    if (graph_.FindValue(value.name) != id) return wrong("its name means another value or none");
    switch (value.kind) {
      case ValueKind::kInput:
        if (std::count(graph_.inputs().begin(), graph_.inputs().end(), id) != 1) {
          return wrong("it is no longer an input of the graph");
        }
        break;
      case ValueKind::kResult:
        if (value.producer == NodeId::kNone) return wrong("nothing produces it");
        if (!graph_.node(value.producer).live) return wrong("its producer was removed");
        break;
      default:
        if (!value.data) return wrong("its bytes are gone");
        if (value.type != TypeOf(value.data)) return wrong("its type is not that of its bytes");
    }
    return {};
  }

  Status CheckNode(NodeId id, const Node& node) const {
    for (ValueId input : node.inputs) {
      if (input != ValueId::kNone) PARE_TRY(CheckReadable(input));
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == ValueId::kNone) continue;
      if (!Exists(node.outputs[i])) return Broken("an output does not exist");
      const Value& value = graph_.value(node.outputs[i]);
      if (value.producer != id || value.output_index != static_cast<int>(i) ||
          value.kind != ValueKind::kResult) {
        return Broken(Text("the value \"", value.name, "\" is not what its producer makes"));
      }
      if (graph_.FindValue(value.name) != node.outputs[i]) {
        return Broken(Text("the name \"", value.name, "\" means another value or none"));
      }
    }
    return {};
  }

  Status CheckUses(ValueId id) {
    const Value& value = graph_.value(id);
    std::set<std::pair<NodeId, int>> seen;
    for (const Use& use : value.uses) {
      const Node& node = graph_.node(use.node);
      const bool true_use = node.live && use.input >= 0 &&
                            static_cast<size_t>(use.input) < node.inputs.size() &&
                            node.inputs[use.input] == id;
      if (!true_use || !seen.emplace(use.node, use.input).second) {
        return Broken(Text("the value \"", value.name, "\" lists a use that is none"));
      }
    }
    uses_ += value.uses.size();
    return {};
  }

  Status CheckOutputs() const {
    std::set<std::string_view> names;
    for (const Output& output : graph_.outputs()) {
      PARE_TRY(CheckReadable(output.value));
      if (!names.insert(output.name).second) {
        return Broken(Text("two outputs are called \"", output.name, "\""));
      }
    }
    return {};
  }

  Status CheckAssignments() const {
    std::set<ValueId> states;
    for (const Assignment& assignment : graph_.assignments()) {
      PARE_TRY(CheckReadable(assignment.state));
      PARE_TRY(CheckReadable(assignment.value));
      const Value& state = graph_.value(assignment.state);
      const auto wrong = [&](std::string_view why) {
        return Broken(Text("\"", state.name, "\" is assigned, but ", why));
      };
      if (state.kind != ValueKind::kParameter && state.kind != ValueKind::kState)
        return wrong("it is neither a parameter nor a state");
      if (!states.insert(assignment.state).second) return wrong("that is done twice");
      const TensorType& type = graph_.value(assignment.value).type;
      if (type.has_rank() && type.is_static() && type != state.type)
        return wrong("its value has another type");
    }
    return {};
  }

  const Graph& graph_;
  size_t live_nodes_ = 0, uses_ = 0, operands_ = 0;
};

}  // namespace

Status Verify(const Graph& graph) { return Verifier(graph).Run(); }

Status Verify(const Graph& graph, OpTable check_node) {
  PARE_TRY(Verify(graph));
  for (NodeId id : graph.Order()) {
    const Node& node = graph.node(id);
    const Status status = check_node(graph, node);
    if (!status) return Fail(status.error().at(Text("node ", node.name, " (", node.op, ")")));
  }
  return {};
}

}  // namespace pare::graph
