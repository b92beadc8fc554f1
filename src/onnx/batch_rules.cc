// Finds how an operator treats a batch, and why pare doesn't follow it through some.
#include "onnx/batch_rules.h"

#include <algorithm>

namespace pare::onnx {
namespace {

struct NoBatchRule {
  std::string_view ops;
  std::string_view reason;
};
constexpr NoBatchRule kNoRules[] = {
    {"DynamicQuantizeLinear", "its scale is of all samples together"},
    {"Compress NonZero", "it picks elements out of all samples"},
    {"EyeLike", "its rows are no samples"},
    {"Range", "a sequence of numbers has no samples"},
    {"ScatterND", "its indices count through all samples"},
    {"MatMulInteger QLinearMatMul", "pare doesn't follow a batch through it"},
};

// What computes with sizes and gives sizes.
constexpr std::string_view kSizeOps =
    "Add Cast Concat Div Equal Floor Gather Identity Max Min Mul ReduceProd Reshape Slice Squeeze "
    "Sub Unsqueeze Where";

bool Lists(std::string_view ops, std::string_view op) {
  for (size_t at = ops.find(op); at != ops.npos; at = ops.find(op, at + 1)) {
    const size_t end = at + op.size();
    if ((at == 0 || ops[at - 1] == ' ') && (end == ops.size() || ops[end] == ' ')) return true;
  }
  return false;
}

const BatchRule* FindRule(std::string_view op) {
  for (const std::span<const BatchRule> rules : {BatchRulesOfNumbers(), BatchRulesOfMoves()}) {
    const auto rule = std::ranges::find_if(
        rules, [&](const BatchRule& candidate) { return Lists(candidate.ops, op); });
    if (rule != rules.end()) return &*rule;
  }
  return nullptr;
}

}  // namespace

bool HasBatchRule(std::string_view op) { return FindRule(op) != nullptr; }

std::string_view WhyNoBatchRule(std::string_view op) {
  const auto entry = std::ranges::find_if(
      kNoRules, [&](const NoBatchRule& candidate) { return Lists(candidate.ops, op); });
  return entry == std::end(kNoRules) ? std::string_view() : entry->reason;
}

bool FollowBatch(Flow& flow, std::string& reason) {
  const std::string& op = flow.node().op;
  bool carries = false;
  for (int i = 0; i < flow.inputs(); ++i) carries |= flow.carry(i).has_value();
  if (!carries && Lists(kSizeOps, op)) {
    flow.SetSizes();
    return true;
  }
  const BatchRule* rule = FindRule(op);
  const bool from_sizes = op == "ConstantOfShape" || op == "Expand";
  if (!rule || (!carries && !from_sizes)) {
    const std::string_view why = WhyNoBatchRule(op);
    reason = why.empty() ? "how it treats a batch is not known" : why;
    return false;
  }
  if (rule->rule(flow)) return true;
  reason = "it may mix the samples of a batch, or its operands are fixed to a batch of 1";
  return false;
}

}  // namespace pare::onnx
