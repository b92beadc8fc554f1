#include <algorithm>

#include "passes/passes.h"

namespace pare::passes {
namespace {

// Images only: a mean over the last axis of three is a sequence's as often as a signal's.
constexpr int kMinRank = 4;

bool FormPool(const Match& m, Patch& p) {
  const DType dtype = m.type("x").dtype;  // integers have no such pool, and f64 would be narrowed
  if (dtype != DType::kF32 && dtype != DType::kF16) return false;
  if (!m.type("x").has_rank() || m.type("x").rank() < kMinRank) return false;
  const int rank = m.type("x").rank();
  auto axes = ToInt64s(m.constant("axes"));
  if (!axes || std::ssize(*axes) != rank - 2) return false;
  for (int64_t& axis : *axes) axis += axis < 0 ? rank : 0;
  std::sort(axes->begin(), axes->end());
  for (int axis = 2; axis < rank; ++axis) {
    if ((*axes)[axis - 2] != axis) return false;
  }
  const std::string name = m.node("y").name;
  const bool keep = m.node("y").attrs.i("keepdims", 1) != 0;
  const NodeSpec pool{"GlobalAveragePool", {m["x"]}, {}, name};
  if (keep) return p.Replace(m["y"], pool);
  return p.Replace(m["y"], NodeSpec{"Flatten", {p.Add(pool)}, {{"axis", int64_t{1}}}, name});
}

std::span<const Rule> Rules() {
  static const Rule rules[] = {
      {"form-global-pool", Op({"ReduceMean"}, "y")(Any("x"), Const("axes")), FormPool},
  };
  return rules;
}

}  // namespace

Status FormGlobalPool(PassContext& context) { return Rewrite(context, Rules()); }

}  // namespace pare::passes
