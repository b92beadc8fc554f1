#include "passes/pattern.h"

#include <algorithm>
#include <cmath>

#include "base/function_ref.h"

namespace pare::passes {

using graph::Graph;
using graph::Node;
using graph::ValueId;

ValueId Match::operator[](std::string_view name) const {
  const auto at = std::find_if(bound_.begin(), bound_.end(),
                               [&](const auto& binding) { return binding.first == name; });
  return at == bound_.end() ? ValueId::kNone : at->second;
}

bool Match::Bind(std::string_view name, ValueId value) {
  if (name.empty()) return true;
  for (const auto& [bound_name, bound_value] : bound_) {
    if (bound_name == name) return bound_value == value;
  }
  bound_.emplace_back(name, value);
  return true;
}

Pattern::Pattern(Kind kind, std::vector<std::string> ops, std::string name)
    : kind_(kind), ops_(std::move(ops)), name_(std::move(name)) {}

Pattern Pattern::WithOperands(std::vector<Pattern> operands) const {
  Pattern pattern = *this;
  pattern.has_operands_ = true;
  pattern.operands_ = std::move(operands);
  return pattern;
}

Pattern Pattern::UsedOnce() const {
  Pattern pattern = *this;
  pattern.used_once_ = true;
  return pattern;
}

Pattern Pattern::Optional() const {
  Pattern pattern = *this;
  pattern.optional_ = true;
  return pattern;
}

Pattern Pattern::Where(Predicate predicate) const {
  Pattern pattern = *this;
  pattern.predicates_.push_back(std::move(predicate));
  return pattern;
}

Pattern Pattern::With(std::string attribute, int64_t value) const {
  return Where([attribute = std::move(attribute), value](const Graph& graph, ValueId id) {
    const Node* node = graph.producer_of(id);
    return node && node->attrs.has(attribute) && node->attrs.i(attribute, ~value) == value;
  });
}

// Matching with backtracking: what remains to be matched is a function that is called when a part
// has matched. So an operand that fits in two ways is tried in both.
class Pattern::Matcher {
 public:
  using Rest = FunctionRef<bool(Match&)>;

  explicit Matcher(const Graph& graph) : graph_(graph) {}

  bool Value(const Pattern& pattern, ValueId id, Match& match, Rest rest) const {
    if (id == ValueId::kNone) return pattern.optional_ && rest(match);
    const graph::Value& value = graph_.value(id);
    if (pattern.used_once_ && (value.uses.size() != 1 || graph_.is_visible(id))) return false;
    if (pattern.kind_ == Kind::kConstant && !graph_.is_constant(id)) return false;
    const Node* node = graph_.producer_of(id);
    if (pattern.kind_ == Kind::kNode) {
      if (!node || value.output_index != 0) return false;
      if (std::find(pattern.ops_.begin(), pattern.ops_.end(), node->op) == pattern.ops_.end())
        return false;
    }
    const auto holds = [&](const Predicate& predicate) { return predicate(graph_, id); };
    if (!std::all_of(pattern.predicates_.begin(), pattern.predicates_.end(), holds)) return false;

    Match attempt = match;
    if (!attempt.Bind(pattern.name_, id)) return false;
    if (pattern.kind_ == Kind::kNode) attempt.Visit(value.producer);
    const bool matched =
        pattern.has_operands_ ? Operands(pattern, *node, attempt, rest) : rest(attempt);
    if (matched) match = std::move(attempt);
    return matched;
  }

 private:
  bool Operands(const Pattern& pattern, const Node& node, Match& match, Rest rest) const {
    std::vector<ValueId> inputs = node.inputs;
    while (inputs.size() > pattern.operands_.size() && inputs.back() == ValueId::kNone)
      inputs.pop_back();
    if (inputs.size() > pattern.operands_.size()) return false;
    inputs.resize(pattern.operands_.size(), ValueId::kNone);
    if (From(0, pattern, inputs, match, rest)) return true;
    const bool commutes =
        node.op == "Add" || node.op == "Mul" || node.op == "Min" || node.op == "Max";
    if (!commutes || inputs.size() != 2 || inputs[0] == inputs[1]) return false;
    std::swap(inputs[0], inputs[1]);
    return From(0, pattern, inputs, match, rest);
  }

  bool From(size_t first, const Pattern& pattern, const std::vector<ValueId>& inputs, Match& match,
            Rest rest) const {
    if (first == inputs.size()) return rest(match);
    return Value(pattern.operands_[first], inputs[first], match,
                 [&](Match& next) { return From(first + 1, pattern, inputs, next, rest); });
  }

  const Graph& graph_;
};

bool Pattern::Matches(ValueId value, Match& match) const {
  Match result(match.graph());
  if (!Matcher(match.graph()).Value(*this, value, match, [&](Match& complete) {
        result = complete;
        return true;
      })) {
    return false;
  }
  match = std::move(result);
  return true;
}

Pattern Op(std::initializer_list<std::string_view> ops, std::string_view name) {
  return {Pattern::Kind::kNode, {ops.begin(), ops.end()}, std::string(name)};
}

Pattern Any(std::string_view name) { return {Pattern::Kind::kAny, {}, std::string(name)}; }

Pattern Const(std::string_view name) { return {Pattern::Kind::kConstant, {}, std::string(name)}; }

std::optional<float> ScalarOf(const Graph& graph, ValueId value) {
  if (!graph.is_constant(value)) return std::nullopt;
  const Tensor& data = graph.value(value).data;
  if (data.count() != 1 || !IsFloat(data.dtype())) return std::nullopt;
  const auto wide = Cast(data, DType::kF32);
  return wide ? std::optional(wide->as<float>()[0]) : std::nullopt;
}

namespace {

float Rounded(float value, DType dtype) {
  const Tensor narrow = Cast(Tensor::Scalar(value), dtype).value();
  return Cast(narrow, DType::kF32)->as<float>()[0];
}

}  // namespace

Pattern Scalar(float value) {
  // Models of 16 bits hold the nearest that there is, and keep it when they are widened.
  const float half = Rounded(value, DType::kF16), brain = Rounded(value, DType::kBF16);
  return Const("").Where([=](const Graph& graph, ValueId id) {
    const std::optional<float> scalar = ScalarOf(graph, id);
    return scalar && (std::abs(*scalar - value) <= 1e-6f * std::abs(value) || *scalar == half ||
                      *scalar == brain);
  });
}

Pattern AnyScalar(std::string_view name) {
  return Const(name).Where(
      [](const Graph& graph, ValueId id) { return ScalarOf(graph, id).has_value(); });
}

}  // namespace pare::passes
