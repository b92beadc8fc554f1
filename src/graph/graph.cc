#include "graph/graph.h"

#include <algorithm>

namespace pare::graph {

int Graph::AddSymbol(std::string symbol) {
  const auto at = std::find(symbols_.begin(), symbols_.end(), symbol);
  if (at != symbols_.end()) return static_cast<int>(at - symbols_.begin());
  symbols_.push_back(std::move(symbol));
  return static_cast<int>(symbols_.size()) - 1;
}

ValueId Graph::AddValue(std::string name, ValueKind kind, TensorType type) {
  const auto id = static_cast<ValueId>(values_.size());
  if (by_name_.contains(name)) name = FreshName(name);
  by_name_.emplace(name, id);
  values_.push_back({.name = std::move(name),
                     .kind = kind,
                     .type = std::move(type),
                     .data = {},
                     .uses = {},
                     .foreign_type = {},
                     .notes = {},
                     .tensor_doc = {}});
  return id;
}

ValueId Graph::AddInput(std::string name, TensorType type) {
  const ValueId id = AddValue(std::move(name), ValueKind::kInput, std::move(type));
  inputs_.push_back(id);
  return id;
}

ValueId Graph::AddConstant(std::string name, Tensor data, ValueKind kind) {
  const ValueId id = AddValue(std::move(name), kind, TypeOf(data));
  values_[Index(id)].data = std::move(data);
  return id;
}

NodeId Graph::AddNode(std::string op, std::vector<ValueId> inputs,
                      std::vector<std::string> output_names, Attrs attrs, std::string name) {
  const auto id = static_cast<NodeId>(nodes_.size());
  Node node{.op = std::move(op),
            .name = std::move(name),
            .inputs = {},
            .outputs = {},
            .attrs = std::move(attrs),
            .origin = {},
            .notes = {}};
  for (size_t i = 0; i < output_names.size(); ++i) {
    std::string& output_name = output_names[i];
    const ValueId output = AddValue(
        output_name.empty() ? FreshName(node.op) : std::move(output_name), ValueKind::kResult, {});
    values_[Index(output)].producer = id;
    values_[Index(output)].output_index = static_cast<int>(i);
    node.outputs.push_back(output);
  }
  nodes_.push_back(std::move(node));
  for (ValueId input : inputs) AppendInput(id, input);
  return id;
}

void Graph::AddOutput(ValueId value, std::string name, Notes notes) {
  outputs_.push_back({value, std::move(name), std::move(notes)});
}

const Node* Graph::producer_of(ValueId id) const {
  if (id == ValueId::kNone) return nullptr;
  const NodeId producer = value(id).producer;
  return producer == NodeId::kNone ? nullptr : &node(producer);
}

ValueId Graph::AddNodeOutput(NodeId id, int output, std::string name) {
  std::vector<ValueId>& outputs = nodes_[Index(id)].outputs;
  if (std::ssize(outputs) <= output) outputs.resize(output + 1, ValueId::kNone);
  PARE_DCHECK(outputs[output] == ValueId::kNone);
  const ValueId value = AddValue(std::move(name), ValueKind::kResult, {});
  values_[Index(value)].producer = id;
  values_[Index(value)].output_index = output;
  return outputs[output] = value;
}

bool Graph::is_output(ValueId id) const {
  const auto is = [&](const auto& end) { return end.value == id; };
  return std::any_of(outputs_.begin(), outputs_.end(), is) ||
         std::any_of(assignments_.begin(), assignments_.end(), is);
}

ValueId Graph::FindValue(std::string_view name) const {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? ValueId::kNone : at->second;
}

std::string Graph::FreshName(std::string_view stem) const {
  if (!stem.empty() && !by_name_.contains(stem)) return std::string(stem);
  for (size_t number = values_.size();; ++number) {
    std::string name = Text(stem, '_', number);
    if (!by_name_.contains(name)) return name;
  }
}

std::vector<NodeId> Graph::Order() const {
  enum class Mark : uint8_t { kNew, kOpen, kDone };
  std::vector<Mark> marks(nodes_.size(), Mark::kNew);
  std::vector<NodeId> order;
  // Depth first with a stack of its own: a deep model must not overflow ours.
  struct Frame {
    NodeId node;
    size_t next_input;
  };
  std::vector<Frame> stack;
  for (size_t root = 0; root < nodes_.size(); ++root) {
    if (!nodes_[root].live || marks[root] != Mark::kNew) continue;
    stack.push_back({static_cast<NodeId>(root), 0});
    marks[root] = Mark::kOpen;
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const Node& node = nodes_[Index(frame.node)];
      if (frame.next_input == node.inputs.size()) {
        marks[Index(frame.node)] = Mark::kDone;
        order.push_back(frame.node);
        stack.pop_back();
        continue;
      }
      const ValueId input = node.inputs[frame.next_input++];
      if (input == ValueId::kNone) continue;
      const NodeId producer = value(input).producer;
      if (producer == NodeId::kNone) continue;
      Mark& mark = marks[Index(producer)];
      if (mark == Mark::kOpen) return {};  // a cycle
      if (mark == Mark::kDone) continue;
      mark = Mark::kOpen;
      stack.push_back({producer, 0});
    }
  }
  return order;
}

void Graph::DropUse(ValueId id, Use use) {
  if (id == ValueId::kNone) return;
  std::vector<Use>& uses = values_[Index(id)].uses;
  const auto at = std::find(uses.begin(), uses.end(), use);
  PARE_DCHECK(at != uses.end());
  uses.erase(at);
}

void Graph::SetInput(NodeId node, int input, ValueId value) {
  ValueId& slot = nodes_[Index(node)].inputs[input];
  if (slot == value) return;
  DropUse(slot, {node, input});
  slot = value;
  if (value != ValueId::kNone) values_[Index(value)].uses.push_back({node, input});
}

void Graph::AppendInput(NodeId node, ValueId value) {
  nodes_[Index(node)].inputs.push_back(ValueId::kNone);
  SetInput(node, static_cast<int>(nodes_[Index(node)].inputs.size()) - 1, value);
}

void Graph::RemoveLastInput(NodeId node) {
  SetInput(node, static_cast<int>(nodes_[Index(node)].inputs.size()) - 1, ValueId::kNone);
  nodes_[Index(node)].inputs.pop_back();
}

void Graph::RemoveOutput(NodeId id, int output) {
  ValueId& slot = nodes_[Index(id)].outputs[output];
  if (slot == ValueId::kNone) return;
  Value& value = values_[Index(slot)];
  PARE_DCHECK(value.uses.empty());
  by_name_.erase(value.name);
  value.producer = NodeId::kNone;
  slot = ValueId::kNone;
}

void Graph::ReplaceUses(ValueId from, ValueId to) {
  if (from == to) return;
  const std::vector<Use> uses = value(from).uses;
  for (const Use& use : uses) SetInput(use.node, use.input, to);
  for (Output& output : outputs_) {
    if (output.value == from) output.value = to;
  }
  for (Assignment& assignment : assignments_) {
    if (assignment.value == from) assignment.value = to;
  }
}

void Graph::SetConstant(ValueId id, Tensor data) {
  Value& value = values_[Index(id)];
  value.type = TypeOf(data);
  value.data = std::move(data);
  value.overridable = false;
}

void Graph::MakeConstant(ValueId id, Tensor data) {
  Value& value = values_[Index(id)];
  const NodeId producer = value.producer;
  PARE_DCHECK(producer != NodeId::kNone);
  // The producer keeps a nameless output in this place, so that its other outputs keep theirs.
  std::string name = value.name;
  value.kind = ValueKind::kConstant;
  value.producer = NodeId::kNone;
  SetConstant(id, std::move(data));
  const ValueId orphan = AddValue(FreshName(name), ValueKind::kResult, values_[Index(id)].type);
  values_[Index(orphan)].producer = producer;
  values_[Index(orphan)].output_index = values_[Index(id)].output_index;
  Node& node = nodes_[Index(producer)];
  node.outputs[values_[Index(id)].output_index] = orphan;
  const bool unused = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
    return output == ValueId::kNone || (this->value(output).uses.empty() && !is_visible(output));
  });
  if (unused) RemoveNode(producer);
}

void Graph::Rename(ValueId id, std::string name) {
  Value& value = values_[Index(id)];
  if (value.name == name) return;
  if (by_name_.contains(name)) name = FreshName(name);
  by_name_.erase(value.name);
  by_name_.emplace(name, id);
  value.name = std::move(name);
}

void Graph::RemoveNode(NodeId id) {
  Node& node = nodes_[Index(id)];
  for (size_t i = 0; i < node.inputs.size(); ++i) SetInput(id, static_cast<int>(i), ValueId::kNone);
  for (ValueId output : node.outputs) {
    if (output == ValueId::kNone) continue;
    PARE_DCHECK(value(output).uses.empty());
    by_name_.erase(value(output).name);
  }
  node.live = false;
}

int Graph::RemoveDead() {
  int removed = 0;
  std::vector<NodeId> order = Order();
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    const Node& node = this->node(*id);
    const bool used = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
      return output != ValueId::kNone && (!value(output).uses.empty() || is_visible(output));
    });
    if (used) continue;
    RemoveNode(*id);
    ++removed;
  }
  // Free the bytes of constants that nothing reads.
  for (Value& value : values_) {
    const bool stored = value.kind == ValueKind::kConstant && value.data;
    const auto at = stored && value.uses.empty() ? by_name_.find(value.name) : by_name_.end();
    if (at != by_name_.end() && !is_output(at->second) && &values_[Index(at->second)] == &value) {
      by_name_.erase(at);
      value.data = {};
    }
  }
  return removed;
}

}  // namespace pare::graph
