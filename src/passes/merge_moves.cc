// Nodes that only move elements, one after another, become one.
#include <algorithm>

#include "passes/layout.h"
#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Ints;
using graph::Node;
using graph::TensorType;

// Without the attribute a Transpose reverses the dimensions.
Ints PermutationOf(const Node& node, int rank) {
  Ints perm = node.attrs.ints("perm");
  if (perm.empty()) {
    for (int i = rank - 1; i >= 0; --i) perm.push_back(i);
  }
  return perm;
}

bool MergeTransposes(const Match& m, Patch& p) {
  if (!m.type("x").has_rank()) return false;
  const int rank = m.type("x").rank();
  const Ints first = PermutationOf(m.node("inner"), rank);
  const Ints second = PermutationOf(m.node("y"), rank);
  if (std::ssize(first) != rank || std::ssize(second) != rank) return false;
  Ints merged;
  for (int64_t axis : second) merged.push_back(first[axis]);
  if (std::is_sorted(merged.begin(), merged.end())) return p.Replace(m["y"], m["x"]);
  return p.Replace(m["y"], p.Copy(m["y"]).WithInput(0, m["x"]).With("perm", merged));
}

bool MergeReshapes(const Match& m, Patch& p) {
  const TensorType from = m.type("x"), to = m.type("y");
  if (!from.shape || !to.shape) return false;
  const auto target = ReshapeTarget(*from.shape, *to.shape);
  if (!target) return false;
  const auto count = static_cast<int64_t>(target->size());
  const auto shape = p.Constant("shape", Tensor::Of<int64_t>({count}, *target));
  return p.Replace(m["y"], NodeSpec{"Reshape", {m["x"], shape}, {}, m.node("y").name});
}

// A target that is computed from sizes of the input says no more than a constant with zeros.
bool KnowTarget(const Match& m, Patch& p) {
  const TensorType from = m.type("x"), to = m.type("y");
  if (m.graph().is_constant(m["shape"]) || !from.shape || !to.shape) return false;
  const auto target = ReshapeTarget(*from.shape, *to.shape);
  if (!target) return false;
  const auto count = static_cast<int64_t>(target->size());
  const auto shape =
      p.Constant(m.value("shape").name + ".known", Tensor::Of<int64_t>({count}, *target));
  return p.Replace(m["y"], p.Copy(m["y"]).WithInput(1, shape).Without("allowzero"));
}

std::span<const Rule> Rules() {
  static const auto view = [](std::string_view name) {
    return Op({"Reshape", "Flatten", "Squeeze", "Unsqueeze"}, name);
  };
  static const Rule rules[] = {
      {"merge-transposes", Op({"Transpose"}, "y")(Op({"Transpose"}, "inner")(Any("x"))),
       MergeTransposes},
      {"merge-reshapes",
       view("y")(view("inner")(Any("x"), Any("s1").Optional()), Any("s2").Optional()),
       MergeReshapes},
      {"know-reshape", Op({"Reshape"}, "y")(Any("x"), Any("shape")), KnowTarget},
  };
  return rules;
}

}  // namespace

Status MergeMoves(PassContext& context) { return Rewrite(context, Rules()); }

}  // namespace pare::passes
