// Nodes that give back their input: by name (Identity), by type (a Cast to the type it has, a
// Reshape to the shape it has), or by their constants (x + 0, a Pad of nothing).
#include <algorithm>

#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

bool IsIdentityPermutation(const Node& node) {
  const graph::Ints perm = node.attrs.ints("perm");
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<int64_t>(i)) return false;
  }
  return !perm.empty();
}

// Whether operand `i` is a constant whose every element is `value`.
bool All(const Graph& graph, const Node& node, size_t i, double value) {
  if (i >= node.inputs.size() || !graph.is_constant(node.inputs[i])) return false;
  const auto wide = Cast(graph.value(node.inputs[i]).data, DType::kF64);
  if (!wide) return false;
  const auto elements = wide->as<double>();
  return std::all_of(elements.begin(), elements.end(), [&](double e) { return e == value; });
}

// The operators whose output is input 0 where their types are the same (and `extra` holds).
bool GivesBackByType(const Graph& graph, const Node& node) {
  const std::string& op = node.op;
  const bool move = op == "Cast" || op == "CastLike" || op == "Reshape" || op == "Flatten" ||
                    op == "Squeeze" || op == "Unsqueeze" || op == "Expand" || op == "Tile";
  if (op == "Slice") return !node.has_input(4) || All(graph, node, 4, 1);
  if (op == "Pad") return All(graph, node, 1, 0);
  if (op == "Add" || op == "Sub") return All(graph, node, 1, 0);
  if (op == "Mul" || op == "Div" || op == "Pow") return All(graph, node, 1, 1);
  return move;
}

bool GivesBack(const Graph& graph, const Node& node) {
  const std::string& op = node.op;
  if (op == "Identity") return true;
  if (!node.attrs.s("activation").empty()) return false;
  if (op == "Dropout") {  // training mode is an input, false where it is absent
    return !node.has_input(2) || All(graph, node, 2, 0);
  }
  if (op == "Clip") return !node.has_input(1) && !node.has_input(2);
  if (op == "Concat" || op == "Sum" || op == "Max" || op == "Min" || op == "Mean")
    return node.inputs.size() == 1;
  if (op == "Transpose") return IsIdentityPermutation(node);
  return GivesBackByType(graph, node) &&
         graph::SameKnownType(graph.value(node.inputs[0]).type, graph.value(node.outputs[0]).type);
}

bool ReplaceByInput(const Match& m, Patch& p, size_t input) {
  return p.Replace(m["y"], m.node("y").inputs[input]);
}

std::span<const Rule> Rules() {
  static const Rule rules[] = {
      {"remove-identity",
       Op({"Identity", "Dropout",   "Cast",   "CastLike", "Reshape",   "Flatten",
           "Squeeze",  "Unsqueeze", "Expand", "Tile",     "Transpose", "Slice",
           "Pad",      "Clip",      "Concat", "Sum",      "Max",       "Min",
           "Mean",     "Add",       "Sub",    "Mul",      "Div",       "Pow"},
          "y"),
       [](const Match& m, Patch& p) {
         const Node& node = m.node("y");
         if (GivesBack(m.graph(), node)) return ReplaceByInput(m, p, 0);
         // 0 + x and 1 · x
         const bool left = (node.op == "Add" && All(m.graph(), node, 0, 0)) ||
                           (node.op == "Mul" && All(m.graph(), node, 0, 1));
         if (!left || !node.attrs.s("activation").empty()) return false;
         return graph::SameKnownType(m.graph().value(node.inputs[1]).type, m.type("y")) &&
                ReplaceByInput(m, p, 1);
       }},
      // A type that holds every value of the first, and back: nothing is lost on the way.
      {"remove-cast-pair", Op({"Cast"}, "y")(Op({"Cast"}, "wide")(Any("x"))),
       [](const Match& m, Patch& p) {
         const DType from = m.type("x").dtype, by = m.type("wide").dtype;
         const bool widens = (from == DType::kF16 && by == DType::kF32) ||
                             (from == DType::kBF16 && by == DType::kF32) ||
                             (from == DType::kF32 && by == DType::kF64) ||
                             (!IsFloat(from) && SizeOf(from) < 4 && by == DType::kF32) ||
                             (from == DType::kI32 && by == DType::kI64);
         return widens && from == m.type("y").dtype && p.Replace(m["y"], m["x"]);
       }},
  };
  return rules;
}

}  // namespace

Status RemoveIdentities(PassContext& context) { return Rewrite(context, Rules()); }

}  // namespace pare::passes
