// A patch: new nodes beside the old ones, and which old values they stand for. Nothing old is
// touched before Patch::Apply, so that a patch can be given up.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ops/node_view.h"

namespace pare::passes {

// A node to be: an operator with operands and attributes.
struct NodeSpec {
  std::string op;
  std::vector<graph::ValueId> inputs;
  graph::Attrs attrs;
  std::string name;

  NodeSpec With(std::string_view attribute, graph::AttrValue value) const;
  NodeSpec Without(std::string_view attribute) const;
  NodeSpec WithInput(size_t at, graph::ValueId value) const;  // absent ones before it are filled in
  NodeSpec Named(std::string op) const;                       // the same under another operator
};

class Patch {
 public:
  Patch(graph::Graph& graph, ops::KnownDims& dims) : graph_(graph), dims_(dims) {}

  const graph::Graph& graph() const { return graph_; }
  // What is known of an integer value's elements; null where nothing is.
  const graph::Shape* dims_value(graph::ValueId value) const;

  // A new constant. It takes the name `stem` from the one that has it, where that becomes unused.
  graph::ValueId Constant(std::string_view stem, Tensor data);
  // The node that makes `value`, as a description to change.
  NodeSpec Copy(graph::ValueId value) const;
  // Adds the node and infers its type; returns its first output. A node that can't be is an error
  // of the rule, kept in status().
  graph::ValueId Add(NodeSpec spec, int outputs = 1);
  graph::ValueId Add(std::string op, std::vector<graph::ValueId> inputs, graph::Attrs attrs = {}) {
    return Add(NodeSpec{std::move(op), std::move(inputs), std::move(attrs), ""});
  }
  graph::ValueId Output(graph::ValueId first, int index) const;  // of the node that makes `first`

  // `old_value` becomes `new_value` for all its users. A value of a new node takes the old one's
  // name. Always true, so that a rule can end with it.
  bool Replace(graph::ValueId old_value, graph::ValueId new_value);
  bool Replace(graph::ValueId old_value, NodeSpec spec) {
    return Replace(old_value, Add(std::move(spec)));
  }

  const Status& status() const { return status_; }
  const std::vector<graph::NodeId>& added() const { return added_; }

  // Whether the law allows it: types agree, nothing visible is lost. False: give it up quietly.
  // An error: the rule is wrong.
  Result<bool> Check() const;
  // Makes the replacements; `sources` are the nodes that the new ones come from. Returns the nodes
  // whose neighbourhood has changed.
  std::vector<graph::NodeId> Apply(std::string_view rule,
                                   const std::vector<graph::NodeId>& sources);
  void GiveUp();

 private:
  struct Replacement {
    graph::ValueId from, to;
  };
  bool IsNew(graph::ValueId value) const;
  Result<bool> CheckReplacement(const Replacement& replacement) const;
  void TakeOver(const Replacement& replacement);
  void RemoveUnused(graph::ValueId value, std::vector<graph::NodeId>& touched);
  void NameConstants();
  void SetOrigins(std::string_view rule, const std::vector<graph::NodeId>& sources);

  graph::Graph& graph_;
  ops::KnownDims& dims_;
  Status status_;
  std::vector<graph::NodeId> added_;
  std::vector<Replacement> replacements_;
  std::vector<std::pair<graph::ValueId, std::string>> constants_;  // and the names they would have
};

}  // namespace pare::passes
