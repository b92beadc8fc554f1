#include "runtime/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace pare::runtime {
namespace {

constexpr size_t kAlignment = 64;

struct Placed {
  size_t begin, end;
  int first, last;
};

// The lowest offset at which `bytes` fit beside the placed ones that live at the same time.
size_t LowestGap(const std::vector<Placed>& placed, const Lifetime& life, size_t bytes) {
  size_t offset = 0;
  for (const Placed& other : placed) {  // sorted by begin
    if (other.last < life.first || life.last < other.first) continue;
    if (offset + bytes <= other.begin) break;
    offset = std::max(offset, other.end);
  }
  return offset;
}

}  // namespace

MemoryPlan PlanMemory(std::span<const Lifetime> lifetimes) {
  std::vector<size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  MemoryPlan plan;
  plan.offsets.resize(lifetimes.size());
  std::vector<Placed> placed;
  for (size_t i : order) {
    const Lifetime& life = lifetimes[i];
    const size_t bytes = (life.bytes + kAlignment - 1) / kAlignment * kAlignment;
    const size_t offset = LowestGap(placed, life, bytes);
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, offset + bytes);
    const Placed block{offset, offset + bytes, life.first, life.last};
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), block,
                         [](const Placed& a, const Placed& b) { return a.begin < b.begin; }),
        block);
  }
  return plan;
}

}  // namespace pare::runtime
