// Patterns look like the mathematics they find:
//
//   Op({"Relu", "Clip"}, "act")(Op({"Conv"}, "producer").UsedOnce())
//   Op({"Mul"})(Any("x"), Op({"Sigmoid"})(Any("x")))            the same x twice
//
// A pattern stands for a value: an Op pattern for the first output of a node. Names become keys of
// the Match. Two operands of Add, Mul, Min and Max match in either order.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace pare::passes {

// What a pattern's names stand for.
class Match {
 public:
  explicit Match(const graph::Graph& graph) : graph_(&graph) {}

  const graph::Graph& graph() const { return *graph_; }
  // The value under that name; kNone where an optional operand is absent.
  graph::ValueId operator[](std::string_view name) const;
  bool has(std::string_view name) const { return (*this)[name] != graph::ValueId::kNone; }
  const graph::Value& value(std::string_view name) const { return graph_->value((*this)[name]); }
  const graph::TensorType& type(std::string_view name) const { return value(name).type; }
  const Tensor& constant(std::string_view name) const { return value(name).data; }
  // The node that makes the value under that name.
  const graph::Node& node(std::string_view name) const {
    return *graph_->producer_of((*this)[name]);
  }

  // Used while matching: false where the name already stands for another value.
  bool Bind(std::string_view name, graph::ValueId value);
  void Visit(graph::NodeId node) { nodes_.push_back(node); }
  // The nodes that the pattern went through, root first.
  const std::vector<graph::NodeId>& nodes() const { return nodes_; }

 private:
  const graph::Graph* graph_;
  std::vector<std::pair<std::string_view, graph::ValueId>> bound_;
  std::vector<graph::NodeId> nodes_;
};

class Pattern {
 public:
  using Predicate = std::function<bool(const graph::Graph&, graph::ValueId)>;
  enum class Kind : uint8_t { kAny, kConstant, kNode };

  Pattern(Kind kind, std::vector<std::string> ops, std::string name);

  // All operands of the node, in order. Without this, the operands are not looked at.
  template <typename... Operands>
  Pattern operator()(const Operands&... operands) const {
    return WithOperands({operands...});
  }
  Pattern UsedOnce() const;  // by one operand of one node, and by nothing outside
  Pattern Optional() const;  // the operand may be absent
  Pattern Where(Predicate predicate) const;
  Pattern With(std::string attribute, int64_t value) const;  // that attribute is given so

  // The operators that the root may be.
  const std::vector<std::string>& ops() const { return ops_; }
  // Whether `value` is what this pattern says; fills `match`.
  bool Matches(graph::ValueId value, Match& match) const;

 private:
  class Matcher;
  Pattern WithOperands(std::vector<Pattern> operands) const;

  Kind kind_;
  std::vector<std::string> ops_;
  std::string name_;
  bool used_once_ = false;
  bool optional_ = false;
  bool has_operands_ = false;
  std::vector<Pattern> operands_;
  std::vector<Predicate> predicates_;
};

Pattern Op(std::initializer_list<std::string_view> ops, std::string_view name = "");
Pattern Any(std::string_view name);
Pattern Const(std::string_view name);
// A floating-point constant of one element that is `value`, but for rounding.
Pattern Scalar(float value);
// A floating-point constant of one element.
Pattern AnyScalar(std::string_view name);

// The element of a floating-point constant of one element; nullopt for any other value.
std::optional<float> ScalarOf(const graph::Graph& graph, graph::ValueId value);

}  // namespace pare::passes
