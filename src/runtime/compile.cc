// Graph → Plan. Values that share bytes (views) form a group; a group is placed once: where the
// graph's input or output is, in a constant, or in the arena for as long as one of its values is
// needed.
#include <algorithm>

#include "ops/op_def.h"
#include "runtime/memory_plan.h"
#include "runtime/plan.h"

namespace pare::runtime {
namespace {

using graph::Graph;
using graph::NodeId;
using graph::ValueId;
using ops::Prepared;

size_t Index(ValueId id) { return static_cast<size_t>(id); }

class Compiler {
 public:
  Compiler(Graph graph, const CompileContext& context)
      : plan_(std::make_shared<Plan>()), graph_(plan_->graph), context_(context) {
    graph_ = std::move(graph);
  }

  Result<std::shared_ptr<const Plan>> Run() {
    order_ = graph_.Order();
    PARE_TRY(PrepareNodes());
    PARE_TRY(CheckOutputs());
    FindGroups();
    FindLives();
    PARE_TRY(AssignStates());
    ReuseDyingInputs();
    PlaceGroups();
    EmitNodes();
    EmitEnds();
    return std::shared_ptr<const Plan>(std::move(plan_));
  }

 private:
  struct Group {  // of values that share bytes
    Location at;
    size_t bytes = 0;
    int first = 0, last = -1;
    bool placed = false;  // at a graph input, output or constant: not in the arena
  };

  Status PrepareNodes() {
    for (NodeId id : order_) {
      PARE_ASSIGN(Prepared prepared,
                  ops::Prepare(graph_, graph_.node(id), context_.cpu, context_.packs));
      prepared_.push_back(std::move(prepared));
    }
    return {};
  }

  // After the nodes: they say better what is wrong.
  Status CheckOutputs() const {
    for (const graph::Output& output : graph_.outputs()) {
      if (!graph_.value(output.value).type.is_static()) {
        return Unsupported(
            Text("the shape of the output \"", output.name, "\" depends on the data"));
      }
    }
    return {};
  }

  size_t GroupOf(ValueId id) const { return group_of_[Index(id)]; }

  size_t NewGroup(ValueId id, Location at, bool placed) {
    const graph::TensorType& type = graph_.value(id).type;
    const size_t bytes = type.is_static() ? static_cast<size_t>(CountOf(type.dims()).value_or(0)) *
                                                SizeOf(type.dtype)
                                          : 0;
    groups_.push_back({.at = at, .bytes = bytes, .placed = placed});
    return group_of_[Index(id)] = groups_.size() - 1;
  }

  void FindGroups() {
    group_of_.assign(graph_.value_count(), 0);
    for (size_t i = 0; i < graph_.inputs().size(); ++i) {
      NewGroup(graph_.inputs()[i], {Location::Kind::kInput, i, nullptr}, true);
    }
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const auto id = static_cast<ValueId>(i);
      const graph::Value& value = graph_.value(id);
      if (value.producer == graph::NodeId::kNone && value.data) {
        NewGroup(id, {Location::Kind::kConstant, 0, value.data.data()}, true);
      }
    }
    for (size_t i = 0; i < order_.size(); ++i) {
      const graph::Node& node = graph_.node(order_[i]);
      for (ValueId output : node.outputs) {
        if (output == ValueId::kNone) continue;
        const int alias = prepared_[i].alias_input;
        if (alias >= 0 && output == node.outputs[0]) {
          group_of_[Index(output)] = GroupOf(node.inputs[alias]);
        } else {
          groups_[NewGroup(output, {Location::Kind::kArena, 0, nullptr}, false)].first =
              static_cast<int>(i);
        }
      }
    }
    // A group takes the place of the first output that it holds; the others are copied at the end.
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      Group& group = groups_[GroupOf(graph_.outputs()[i].value)];
      if (group.placed) {
        copied_outputs_.push_back(i);
      } else {
        group.at = {Location::Kind::kOutput, i, nullptr};
        group.placed = true;
      }
    }
  }

  void FindLives() {
    for (size_t i = 0; i < order_.size(); ++i) {
      const int now = static_cast<int>(i);
      const graph::Node& node = graph_.node(order_[i]);
      const auto extend = [&](ValueId id) {
        if (id != ValueId::kNone)
          groups_[GroupOf(id)].last = std::max(groups_[GroupOf(id)].last, now);
      };
      std::for_each(node.inputs.begin(), node.inputs.end(), extend);
      std::for_each(node.outputs.begin(), node.outputs.end(), extend);
    }
    const int end = static_cast<int>(order_.size());
    for (size_t output : copied_outputs_) {
      groups_[GroupOf(graph_.outputs()[output].value)].last = end;
    }
    for (const graph::Assignment& assignment : graph_.assignments()) {
      groups_[GroupOf(assignment.value)].last = end;
    }
  }

  // Whether all that reads `group` is done before the node at `now` writes the value, or lets it be
  // overwritten there.
  bool ReadBefore(size_t group, size_t now, int output) {
    for (size_t i = now; i < order_.size(); ++i) {
      const ops::InputSet allowed =
          i == now ? prepared_[i].in_place_inputs[output] : ops::InputSet();
      if (ReadElsewhere(graph_.node(order_[i]), allowed, group)) return false;
    }
    return std::none_of(graph_.outputs().begin(), graph_.outputs().end(),
                        [&](const graph::Output& end) { return GroupOf(end.value) == group; });
  }

  // The value that a state shall hold is computed where the state lies, if nobody reads the old
  // content after that; else it is copied there at the end.
  Status AssignStates() {
    for (const graph::Assignment& assignment : graph_.assignments()) {
      const size_t state = GroupOf(assignment.state);
      Group& group = groups_[GroupOf(assignment.value)];
      if (group.at.kind == Location::Kind::kConstant) {
        return Fail(ErrorKind::kInternal, Text("\"", graph_.value(assignment.state).name,
                                               "\" is assigned what is stored already"));
      }
      const graph::Value& value = graph_.value(assignment.value);
      const auto now = static_cast<size_t>(group.first);
      if (!group.placed && order_[now] == value.producer &&
          ReadBefore(state, now, value.output_index)) {
        group.at = groups_[state].at;
        group.placed = true;
      } else {
        copied_states_.push_back(assignment);
      }
    }
    return {};
  }

  // Whether an operand that the record doesn't let be overwritten lies in the same memory.
  bool ReadElsewhere(const graph::Node& node, ops::InputSet allowed, size_t group) {
    for (size_t input = 0; input < node.inputs.size(); ++input) {
      if (allowed.Has(input) || node.inputs[input] == ValueId::kNone) continue;
      if (GroupOf(node.inputs[input]) == group) return true;
    }
    return false;
  }

  // Where a record allows it, an output takes over the memory of an input that dies in the same
  // node.
  void ReuseDyingInputs() {
    for (size_t i = 0; i < order_.size(); ++i) {
      const graph::Node& node = graph_.node(order_[i]);
      const ops::InputSet allowed = prepared_[i].in_place_inputs[0];
      if (allowed.empty() || node.outputs[0] == ValueId::kNone) continue;
      const size_t out = GroupOf(node.outputs[0]);
      for (size_t input = 0; input < node.inputs.size(); ++input) {
        if (!allowed.Has(input) || node.inputs[input] == ValueId::kNone) continue;
        const size_t in = GroupOf(node.inputs[input]);
        if (in == out || groups_[in].placed || groups_[out].placed) continue;
        if (ReadElsewhere(node, allowed, in)) continue;
        if (groups_[in].last != static_cast<int>(i) || groups_[in].bytes < groups_[out].bytes)
          continue;
        MergeGroups(in, out);
        break;
      }
    }
  }

  void MergeGroups(size_t into, size_t from) {
    groups_[into].last = groups_[from].last;
    for (size_t& group : group_of_) {
      if (group == from) group = into;
    }
    groups_[from].placed = true;  // nobody's now
  }

  void PlaceGroups() {
    std::vector<Lifetime> lives;
    std::vector<Location*> places;
    for (Group& group : groups_) {
      if (group.placed || group.last < group.first) continue;
      lives.push_back({group.bytes, group.first, group.last});
      places.push_back(&group.at);
    }
    temps_.resize(order_.size());
    for (size_t i = 0; i < order_.size(); ++i) {
      temps_[i].resize(prepared_[i].temp_bytes.size(), {Location::Kind::kArena, 0, nullptr});
      for (size_t t = 0; t < temps_[i].size(); ++t) {
        lives.push_back({prepared_[i].temp_bytes[t], static_cast<int>(i), static_cast<int>(i)});
        places.push_back(&temps_[i][t]);
      }
    }
    const MemoryPlan memory = PlanMemory(lives);
    for (size_t i = 0; i < lives.size(); ++i) places[i]->index = memory.offsets[i];
    plan_->arena_bytes = memory.bytes;
  }

  Location Locate(ValueId id) const {
    return id == ValueId::kNone ? Location{} : groups_[GroupOf(id)].at;
  }

  void EmitNodes() {
    for (ValueId id : graph_.inputs()) {
      const graph::Value& value = graph_.value(id);
      if (value.pinned) plan_->pinned.push_back({0, value.name, value.type, Locate(id), false});
    }
    for (size_t i = 0; i < order_.size(); ++i) {
      const graph::Node& node = graph_.node(order_[i]);
      Prepared& prepared = prepared_[i];
      // Named after its first output that is there.
      const auto there = [](ValueId id) { return id != ValueId::kNone; };
      const auto first = std::find_if(node.outputs.begin(), node.outputs.end(), there);
      PlanNode out{.name = first == node.outputs.end() ? node.name : graph_.value(*first).name,
                   .op = node.op,
                   .id = order_[i],
                   .inputs = {},
                   .outputs = {},
                   .temps = std::move(temps_[i]),
                   .steps = {}};
      for (ValueId id : node.inputs) out.inputs.push_back(Locate(id));
      for (ValueId id : node.outputs) out.outputs.push_back(Locate(id));
      for (const ops::Step& step : prepared.steps) {
        plan_->scratch_bytes = std::max(plan_->scratch_bytes, step.scratch_bytes);
      }
      out.steps = std::move(prepared.steps);
      plan_->keep.insert(plan_->keep.end(), prepared.keep.begin(), prepared.keep.end());
      for (ValueId id : node.outputs) {
        if (id == ValueId::kNone || !graph_.value(id).pinned) continue;
        plan_->pinned.push_back({plan_->nodes.size() + 1, graph_.value(id).name,
                                 graph_.value(id).type, Locate(id),
                                 graph_.value(id).channels_last});
      }
      plan_->nodes.push_back(std::move(out));
    }
  }

  void EmitEnds() {
    for (ValueId id : graph_.inputs()) {
      plan_->input_types.push_back(graph_.value(id).type);
      plan_->input_names.push_back(graph_.value(id).name);
    }
    for (const graph::Output& output : graph_.outputs()) {
      plan_->output_types.push_back(graph_.value(output.value).type);
      plan_->output_names.push_back(output.name);
    }
    for (size_t output : copied_outputs_) {
      EmitCopy(graph_.outputs()[output].value, {Location::Kind::kOutput, output, nullptr});
    }
    for (const graph::Assignment& assignment : copied_states_) {
      EmitCopy(assignment.value, Locate(assignment.state));
    }
  }

  void EmitCopy(ValueId from, Location to) {
    const graph::TensorType& type = graph_.value(from).type;
    const size_t bytes = static_cast<size_t>(CountOf(type.dims()).value_or(0)) * SizeOf(type.dtype);
    if (bytes > 0) plan_->copies.push_back({Locate(from), to, bytes});
  }

  std::shared_ptr<Plan> plan_;
  Graph& graph_;
  const CompileContext& context_;
  std::vector<NodeId> order_;
  std::vector<Prepared> prepared_;  // one each of order_
  std::vector<std::vector<Location>> temps_;
  std::vector<Group> groups_;
  std::vector<size_t> group_of_;  // by value
  std::vector<size_t> copied_outputs_;
  std::vector<graph::Assignment> copied_states_;
};

Status CheckInputs(const Graph& graph) {
  for (ValueId id : graph.inputs()) {
    if (!graph.value(id).type.is_static() || graph.value(id).type.dtype == DType::kNone) {
      return Fail(ErrorKind::kInternal,
                  Text("the input ", graph.value(id).name, " has no static type"));
    }
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const Plan>> Compile(Graph graph, const CompileContext& context) {
  PARE_TRY(CheckInputs(graph));
  return Compiler(std::move(graph), context).Run();
}

}  // namespace pare::runtime
