// The intermediate representation, as data: values, the nodes that compute them, and what goes in
// and out.
//
// A Graph is a value: copying it copies the structure and shares the bytes of constants. Ids stay
// valid through every edit (removed nodes leave a hole), so that a caller can hold on to what it
// found. The graph does not know what operators mean; that is the ops room's.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "graph/attr.h"
#include "graph/type.h"

namespace pare::graph {

enum class ValueId : int32_t {
  kNone = -1
};  // kNone: an optional input or output that is not there
enum class NodeId : int32_t { kNone = -1 };

enum class ValueKind : uint8_t {
  kInput,
  kConstant,   // known bytes; may be folded and packed once
  kParameter,  // known bytes that training moves; never folded
  kState,      // kept between runs
  kResult,     // computed by a node
};

struct Use {
  NodeId node;
  int input;
  friend bool operator==(Use, Use) = default;
};

// What a file tells people and tools about a part of a model; it means nothing to pare, and is
// kept.
struct Notes {
  std::string doc;
  std::map<std::string, std::string> metadata;    // metadata_props
  std::map<std::string, std::string> attributes;  // of a node: what is said of its attributes
};

struct Value {
  std::string name;  // unique in the graph; what reports and comparisons call the layer
  ValueKind kind = ValueKind::kResult;
  TensorType type;
  Tensor data;  // of constants, parameters and initial states
  NodeId producer = NodeId::kNone;
  int output_index = 0;   // which output of the producer
  std::vector<Use> uses;  // by nodes; graph outputs are not counted here
  // Looked at from outside while the model runs (calibration, comparison): no rewrite may remove it
  // or change what it holds; its layout may change, and the name goes with the value that is
  // computed.
  bool pinned = false;
  // The dimension that was 1 is the last here, and the spatial ones moved forward.
  bool channels_last = false;
  // The type in the source file where that is no tensor of pare's (a sequence, a map, strings), as
  // its bytes.
  std::string foreign_type;
  Notes notes;  // of an output of the graph: Output::notes
  // A constant that the source lists among the inputs, too: whoever runs the file may give another
  // value. pare computes with this one; a constant made from it is none any more.
  bool overridable = false;
  std::string tensor_doc;  // of a constant: what the file tells people about its bytes
};

struct Node {
  // "Conv" for ai.onnx, "domain.Name" for the others, "pare.Name" for our own.
  std::string op;
  std::string name;  // of the source file; may be empty
  // The values that the node's bodies (If, Loop, Scan) read from around them follow the node's own
  // inputs; the attribute kCaptures names them, as the bodies do, in the same order.
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  Attrs attrs;
  std::string origin;  // which nodes of the source, and which rules, this one comes from
  Notes notes;
  bool live = true;

  bool has_input(size_t i) const { return i < inputs.size() && inputs[i] != ValueId::kNone; }
};

inline constexpr std::string_view kCaptures = "pare.captures";

struct Output {
  ValueId value;
  std::string name;  // the name outside; the value's own may differ after rewrites
  Notes notes = {};
};

// What a file says of the quantization of a value (quantization_annotation): names of parameters
// and the tensors that hold them. pare does not read it.
struct QuantAnnotation {
  struct Parameter {
    std::string key;     // "SCALE_TENSOR"
    std::string tensor;  // its name
    Tensor data;         // empty where it is no constant
  };
  std::string value;  // the name
  std::vector<Parameter> parameters;
};

// What a run leaves behind: after its last node, `state` (a parameter or a state) holds `value`.
struct Assignment {
  ValueId state;
  ValueId value;
};

class Graph {
 public:
  std::string name;
  Notes notes;  // of the graph itself; model_doc and metadata are of the file around it
  std::string model_doc;
  std::string producer;  // "pytorch"
  std::string producer_version;
  std::string domain;  // of the model: "org.example"
  int64_t model_version = 0;
  std::map<std::string, std::string> metadata;  // metadata_props; ours begin with "pare."
  std::map<std::string, int64_t> opsets;  // domain ("" = ai.onnx) → version of the source file
  int64_t ir_version = 0;
  std::vector<QuantAnnotation> annotations;

  // --- building
  int AddSymbol(std::string symbol);  // the index of that symbol, new or old
  ValueId AddInput(std::string name, TensorType type);
  ValueId AddConstant(std::string name, Tensor data, ValueKind kind = ValueKind::kConstant);
  // Outputs are made with the given names; an empty name is made up ("<op>_<n>").
  NodeId AddNode(std::string op, std::vector<ValueId> inputs, std::vector<std::string> output_names,
                 Attrs attrs = {}, std::string name = "");
  void AddOutput(ValueId value, std::string name, Notes notes = {});
  // A further output of a node; made up as AddNode does. The places before it may stay empty.
  ValueId AddNodeOutput(NodeId id, int output, std::string name);
  // `value` has the type of `state`, which is assigned once.
  void Assign(ValueId state, ValueId value) { assignments_.push_back({state, value}); }

  // --- reading
  const Node& node(NodeId id) const { return nodes_[Index(id)]; }
  const Value& value(ValueId id) const { return values_[Index(id)]; }
  const Node* producer_of(ValueId id) const;  // null for inputs, constants and kNone
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<Output>& outputs() const { return outputs_; }
  const std::vector<Assignment>& assignments() const { return assignments_; }
  const std::vector<std::string>& symbols() const { return symbols_; }
  size_t node_count() const { return nodes_.size(); }  // holes included: ids are [0, node_count())
  size_t value_count() const { return values_.size(); }
  bool is_output(ValueId id) const;  // or assigned to a state
  // Seen outside of the nodes: an output of the graph, assigned, or pinned.
  bool is_visible(ValueId id) const { return value(id).pinned || is_output(id); }
  bool is_constant(ValueId id) const {
    return id != ValueId::kNone && value(id).kind == ValueKind::kConstant;
  }
  ValueId FindValue(std::string_view name) const;  // kNone where there is none
  // A name that no value has yet: `stem`, or `stem` with a number.
  std::string FreshName(std::string_view stem) const;
  // The live nodes, producers before consumers, else in the order of the source. Empty where there
  // is a cycle, which Verify reports.
  std::vector<NodeId> Order() const;

  // --- editing; uses are kept up to date
  Node& mutable_node(NodeId id) {
    return nodes_[Index(id)];
  }  // never change inputs/outputs through it
  void SetType(ValueId id, TensorType type) { values_[Index(id)].type = std::move(type); }
  void SetInput(NodeId node, int input, ValueId value);
  void AppendInput(NodeId node, ValueId value);
  void RemoveLastInput(NodeId node);
  void RemoveOutput(NodeId node, int output);  // becomes kNone; it must have no uses
  void SetForeignType(ValueId id, std::string type) {
    values_[Index(id)].foreign_type = std::move(type);
  }
  void SetNotes(ValueId id, Notes notes) { values_[Index(id)].notes = std::move(notes); }
  void SetTensorDoc(ValueId id, std::string doc) { values_[Index(id)].tensor_doc = std::move(doc); }
  void SetOverridable(ValueId id) { values_[Index(id)].overridable = true; }
  // Every use of `from`, by nodes, outputs and assignments, becomes a use of `to`.
  void ReplaceUses(ValueId from, ValueId to);
  void SetOutputValue(int output, ValueId value) { outputs_[output].value = value; }
  void ClearOutputs() { outputs_.clear(); }
  void SetPinned(ValueId id, bool pinned) { values_[Index(id)].pinned = pinned; }
  void SetChannelsLast(ValueId id) { values_[Index(id)].channels_last = true; }
  void SetConstant(ValueId id, Tensor data);  // the type follows
  // A constant becomes a parameter or a state, or the other way round.
  void SetStoredKind(ValueId id, ValueKind kind) { values_[Index(id)].kind = kind; }
  // A result becomes a constant; its producer loses that output's uses and dies when nothing else
  // is used.
  void MakeConstant(ValueId id, Tensor data);
  void Rename(ValueId id, std::string name);
  void RemoveNode(NodeId id);  // its outputs must have no uses
  // Drops nodes and constants from which nothing flows to an output. Returns how many nodes.
  int RemoveDead();

 private:
  template <typename Id>
  static size_t Index(Id id) {
    PARE_DCHECK(static_cast<int32_t>(id) >= 0);
    return static_cast<size_t>(id);
  }
  ValueId AddValue(std::string name, ValueKind kind, TensorType type);
  void DropUse(ValueId value, Use use);

  std::vector<Node> nodes_;
  std::vector<Value> values_;
  std::vector<ValueId> inputs_;
  std::vector<Output> outputs_;
  std::vector<Assignment> assignments_;
  std::vector<std::string> symbols_;
  std::map<std::string, ValueId, std::less<>> by_name_;
};

}  // namespace pare::graph
