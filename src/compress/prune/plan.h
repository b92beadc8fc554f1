// Which units go: the search for widths within a target.
#pragma once

#include <span>
#include <vector>

#include "compress/prune/costs.h"

namespace pare::compress {

// A group that may be cut.
struct PruneCandidate {
  int group = -1;
  std::vector<int64_t> widths;  // how many units may stay, from all of them down
  std::vector<int64_t> order;   // units, those that matter least first
  std::vector<double> loss;     // loss[k]: of removing the first k of `order`; loss[0] = 0
};

// Units by group, as ChannelCosts takes them.
using Widths = std::vector<int64_t>;

// What a plan goes by.
struct PlanCosts {
  const ChannelCosts& cost;            // says when enough has gone
  const ChannelCosts* time = nullptr;  // orders the cuts; null: `cost` does
  // Cuts are wanted that gain much of both: where a part of the model holds most of the cost, and
  // takes little time, time alone would cut all the others first.
  bool order_by_both = false;
};

// Greedy: again and again the cut with the most gained for the loss it adds, over all groups, until
// the cost is at most `target`; then cuts that turn out not to be needed are taken back. A cut that
// gains no time comes after all that do.
// Fails (kUnmet) with the least cost that there is where that is more; what leaves more to cut is
// the caller's to tell.
Result<Widths> PlanGlobally(std::span<const PruneCandidate> candidates, const PlanCosts& costs,
                            double target);

// The same part of every group stays, the largest that is within the target.
Result<Widths> PlanByLayer(std::span<const PruneCandidate> candidates, const PlanCosts& costs,
                           double target);

// The first units of the orders gone, so that the widths are left.
std::vector<std::vector<int64_t>> UnitsThatStay(std::span<const PruneCandidate> candidates,
                                                const Widths& widths);

}  // namespace pare::compress
