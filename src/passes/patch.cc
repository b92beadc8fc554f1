#include "passes/patch.h"

#include <algorithm>

namespace pare::passes {

using graph::Dim;
using graph::Node;
using graph::NodeId;
using graph::TensorType;
using graph::Value;
using graph::ValueId;
using graph::ValueKind;

NodeSpec NodeSpec::With(std::string_view attribute, graph::AttrValue value) const {
  NodeSpec spec = *this;
  spec.attrs.set(attribute, std::move(value));
  return spec;
}

NodeSpec NodeSpec::Without(std::string_view attribute) const {
  NodeSpec spec = *this;
  spec.attrs.erase(attribute);
  return spec;
}

NodeSpec NodeSpec::WithInput(size_t at, ValueId value) const {
  NodeSpec spec = *this;
  if (spec.inputs.size() <= at) spec.inputs.resize(at + 1, ValueId::kNone);
  spec.inputs[at] = value;
  return spec;
}

NodeSpec NodeSpec::Named(std::string op_name) const {
  NodeSpec spec = *this;
  spec.op = std::move(op_name);
  return spec;
}

namespace {

// What both types say together; nullopt where they contradict.
std::optional<TensorType> Merge(const TensorType& a, const TensorType& b) {
  if (a.dtype != DType::kNone && b.dtype != DType::kNone && a.dtype != b.dtype) return std::nullopt;
  TensorType merged = a;
  if (a.dtype == DType::kNone) merged.dtype = b.dtype;
  if (!a.shape) merged.shape = b.shape;
  if (!a.shape || !b.shape) return merged;
  if (a.shape->size() != b.shape->size()) return std::nullopt;
  for (size_t i = 0; i < a.shape->size(); ++i) {
    const Dim left = (*a.shape)[i], right = (*b.shape)[i];
    if (left.known() && right.known() && left != right) return std::nullopt;
    const bool right_says_more = right.known() || (right.is_symbol() && !left.is_symbol());
    (*merged.shape)[i] = left.known() || !right_says_more ? left : right;
  }
  return merged;
}

// "conv1, bn1 | fold-batch-norm": the names that `origin` or the node itself stands for.
void AddTo(std::vector<std::string>& list, std::string_view items) {
  while (!items.empty()) {
    const size_t end = std::min(items.find(", "), items.size());
    std::string item(items.substr(0, end));
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(std::move(item));
    items.remove_prefix(std::min(end + 2, items.size()));
  }
}

std::string Joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list) text += Text(text.empty() ? "" : ", ", item);
  return text;
}

}  // namespace

const graph::Shape* Patch::dims_value(ValueId value) const {
  const auto at = dims_.find(value);
  return at == dims_.end() ? nullptr : &at->second;
}

ValueId Patch::Constant(std::string_view stem, Tensor data) {
  const ValueId id = graph_.AddConstant(graph_.FreshName(stem), std::move(data));
  constants_.emplace_back(id, stem);
  return id;
}

NodeSpec Patch::Copy(ValueId value) const {
  const Node& node = *graph_.producer_of(value);
  return {node.op, node.inputs, node.attrs, node.name};
}

ValueId Patch::Add(NodeSpec spec, int outputs) {
  while (!spec.inputs.empty() && spec.inputs.back() == ValueId::kNone) spec.inputs.pop_back();
  const NodeId id = graph_.AddNode(std::move(spec.op), std::move(spec.inputs),
                                   std::vector<std::string>(static_cast<size_t>(outputs)),
                                   std::move(spec.attrs), std::move(spec.name));
  added_.push_back(id);
  if (status_) status_ = ops::InferNode(graph_, id, dims_);
  return graph_.node(id).outputs[0];
}

ValueId Patch::Output(ValueId first, int index) const {
  return graph_.producer_of(first)->outputs[index];
}

bool Patch::Replace(ValueId old_value, ValueId new_value) {
  replacements_.push_back({old_value, new_value});
  return true;
}

bool Patch::IsNew(ValueId value) const {
  const NodeId producer = graph_.value(value).producer;
  return producer != NodeId::kNone &&
         std::find(added_.begin(), added_.end(), producer) != added_.end();
}

Result<bool> Patch::CheckReplacement(const Replacement& replacement) const {
  const Value& from = graph_.value(replacement.from);
  const Value& to = graph_.value(replacement.to);
  if (!Merge(from.type, to.type)) {
    return Fail(ErrorKind::kInternal, Text("it replaces ", TypeText(from.type, graph_.symbols()),
                                           " by ", TypeText(to.type, graph_.symbols())));
  }
  if (IsNew(replacement.to)) return true;
  // An older value keeps its name and place: it can't stand for one that is looked at from outside,
  // unless that is an output of the graph (which has a name of its own) and it is computed.
  if (from.pinned) return false;
  const bool to_computed = to.kind == ValueKind::kResult && !graph_.is_output(replacement.to);
  return to_computed || !graph_.is_output(replacement.from);
}

Result<bool> Patch::Check() const {
  PARE_TRY(status_);
  for (const Replacement& replacement : replacements_) {
    PARE_ASSIGN(const bool allowed, CheckReplacement(replacement));
    if (!allowed) return false;
  }
  return !replacements_.empty();
}

void Patch::TakeOver(const Replacement& replacement) {
  const auto [from, to] = replacement;
  graph_.SetType(to, *Merge(graph_.value(to).type, graph_.value(from).type));
  graph_.ReplaceUses(from, to);
  if (const auto known = dims_.find(from); known != dims_.end()) {
    dims_.emplace(to, graph::Shape(known->second));
  }
  if (!IsNew(to)) return;
  if (graph_.value(from).channels_last) graph_.SetChannelsLast(to);
  if (graph_.value(from).pinned) {
    graph_.SetPinned(from, false);
    graph_.SetPinned(to, true);
  }
  const std::string name = graph_.value(from).name;
  graph_.Rename(from, graph_.FreshName(name + ".replaced"));
  graph_.Rename(to, name);
}

void Patch::RemoveUnused(ValueId value, std::vector<NodeId>& touched) {
  std::vector<ValueId> stack = {value};
  while (!stack.empty()) {
    const NodeId id = graph_.value(stack.back()).producer;
    stack.pop_back();
    if (id == NodeId::kNone || !graph_.node(id).live) continue;
    const Node& node = graph_.node(id);
    const bool used = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
      return output != ValueId::kNone &&
             (!graph_.value(output).uses.empty() || graph_.is_visible(output));
    });
    if (used) {
      touched.push_back(id);
      continue;
    }
    for (ValueId input : node.inputs) {
      if (input == ValueId::kNone || graph_.value(input).producer == NodeId::kNone) continue;
      stack.push_back(input);
      // Who else uses the input may now be its only user.
      for (const graph::Use& use : graph_.value(input).uses) touched.push_back(use.node);
    }
    graph_.RemoveNode(id);
  }
}

void Patch::NameConstants() {
  for (const auto& [id, name] : constants_) {
    const ValueId old = graph_.FindValue(name);
    if (old == ValueId::kNone || old == id || graph_.is_visible(old)) continue;
    if (!graph_.is_constant(old) || !graph_.value(old).uses.empty()) continue;
    graph_.Rename(old, graph_.FreshName(name + ".replaced"));
    graph_.Rename(id, name);
  }
}

void Patch::SetOrigins(std::string_view rule, const std::vector<NodeId>& sources) {
  std::vector<std::string> names, rules;
  for (NodeId id : sources) {
    const Node& node = graph_.node(id);
    if (node.origin.empty()) {
      AddTo(names, node.name.empty() ? graph_.value(node.outputs[0]).name : node.name);
      continue;
    }
    const size_t bar = std::min(node.origin.find(" | "), node.origin.size());
    AddTo(names, std::string_view(node.origin).substr(0, bar));
    AddTo(rules, std::string_view(node.origin).substr(std::min(bar + 3, node.origin.size())));
  }
  AddTo(rules, rule);
  const std::string origin = Text(Joined(names), " | ", Joined(rules));
  for (NodeId id : added_) {
    Node& node = graph_.mutable_node(id);
    node.origin = origin;
    if (node.name.empty() && !sources.empty()) node.name = graph_.node(sources[0]).name;
  }
}

std::vector<NodeId> Patch::Apply(std::string_view rule, const std::vector<NodeId>& sources) {
  SetOrigins(rule, sources);
  std::vector<NodeId> touched = added_;
  for (const Replacement& replacement : replacements_) {
    TakeOver(replacement);
    for (const graph::Use& use : graph_.value(replacement.to).uses) touched.push_back(use.node);
    const NodeId producer = graph_.value(replacement.to).producer;
    if (producer != NodeId::kNone) touched.push_back(producer);
  }
  for (const Replacement& replacement : replacements_) RemoveUnused(replacement.from, touched);
  for (NodeId id : added_) {
    const std::vector<ValueId> outputs = graph_.node(id).outputs;
    for (ValueId output : outputs) RemoveUnused(output, touched);
  }
  NameConstants();
  return touched;
}

void Patch::GiveUp() {
  for (auto id = added_.rbegin(); id != added_.rend(); ++id) graph_.RemoveNode(*id);
  added_.clear();
  replacements_.clear();
}

}  // namespace pare::passes
