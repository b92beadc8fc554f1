#include <algorithm>
#include <vector>

#include "ops/op_def.h"

namespace pare::ops {

#define PARE_OP(symbol) extern const OpDef symbol;
#include "ops/ops.inc"
#undef PARE_OP

namespace {

constexpr const OpDef* kOps[] = {
#define PARE_OP(symbol) &symbol,
#include "ops/ops.inc"
#undef PARE_OP
};

bool ByName(const OpDef* a, const OpDef* b) { return a->name < b->name; }

}  // namespace

std::span<const OpDef* const> AllOps() { return kOps; }

const OpDef* FindOp(std::string_view name) {
  static const std::vector<const OpDef*> sorted = [] {
    std::vector<const OpDef*> ops(std::begin(kOps), std::end(kOps));
    std::sort(ops.begin(), ops.end(), ByName);
    return ops;
  }();
  OpDef key;
  key.name = name;
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), &key, ByName);
  return at != sorted.end() && (*at)->name == name ? *at : nullptr;
}

}  // namespace pare::ops
