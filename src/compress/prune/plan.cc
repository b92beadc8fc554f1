#include "compress/prune/plan.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace pare::compress {
namespace {

// Costs are sums in floating point, and targets parts of such sums.
constexpr double kSlack = 1e-9;
constexpr double kLeastLoss = 1e-12;
constexpr int kLayerParts = 1024;
// What the cost counts beside the time: it orders cuts which gain none.
constexpr double kBesideTime = 1e-3;

double LossAt(const PruneCandidate& candidate, int64_t units) {
  return candidate.loss[static_cast<size_t>(candidate.widths[0] - units)];
}

struct Cut {
  size_t candidate = 0;
  int64_t from = 0, to = 0;
};

double GainOf(const PlanCosts& costs, const Widths& units, int group, int64_t width) {
  const double cost = costs.cost.Gain(units, group, width);
  if (!costs.time) return cost;
  const double part = cost / costs.cost.whole();
  const double time = std::max(costs.time->Gain(units, group, width) / costs.time->whole(), 0.0);
  if (part <= 0) return costs.order_by_both ? 0 : time;
  return (costs.order_by_both ? std::sqrt(time * part) : time) + kBesideTime * part;
}

// The best cut of all that `units` leaves, by gain ÷ loss.
std::optional<Cut> BestCut(std::span<const PruneCandidate> candidates, const PlanCosts& costs,
                           const Widths& units) {
  std::optional<Cut> best;
  double best_ratio = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const PruneCandidate& candidate = candidates[i];
    const int64_t now = units[candidate.group];
    for (int64_t width : candidate.widths) {
      if (width >= now) continue;
      const double gain = GainOf(costs, units, candidate.group, width);
      const double loss = LossAt(candidate, width) - LossAt(candidate, now);
      const double ratio = gain / std::max(loss, kLeastLoss);
      if (gain <= 0 || ratio <= best_ratio) continue;
      best_ratio = ratio;
      best = Cut{i, now, width};
    }
  }
  return best;
}

Error Unmet(const ChannelCosts& costs, double least, double target) {
  const auto part = [&](double cost) { return std::round(1000 * cost / costs.whole()) / 1000; };
  return Error(ErrorKind::kUnmet,
               Text("no cut is within the target, ", part(target),
                    " of the model's cost; the least that can be reached is ", part(least)));
}

// To the next larger width that is within the target, latest cuts first.
void TakeBack(std::span<const PruneCandidate> candidates, const ChannelCosts& costs, double target,
              const std::vector<Cut>& cuts, Widths& units) {
  for (auto cut = cuts.rbegin(); cut != cuts.rend(); ++cut) {
    const PruneCandidate& candidate = candidates[cut->candidate];
    int64_t& width = units[candidate.group];
    for (int64_t wider : candidate.widths) {  // the widest first
      if (wider > cut->from || wider <= width) continue;
      const int64_t old = width;
      width = wider;
      if (costs.Of(units) <= target) break;
      width = old;
    }
  }
}

}  // namespace

Result<Widths> PlanGlobally(std::span<const PruneCandidate> candidates, const PlanCosts& costs,
                            double target) {
  target += kSlack * costs.cost.whole();
  Widths units = costs.cost.all_units();
  std::vector<Cut> cuts;
  double cost = costs.cost.whole();
  while (cost > target) {
    const auto cut = BestCut(candidates, costs, units);
    if (!cut) return Fail(Unmet(costs.cost, cost, target));
    units[candidates[cut->candidate].group] = cut->to;
    cuts.push_back(*cut);
    cost = costs.cost.Of(units);
  }
  TakeBack(candidates, costs.cost, target, cuts, units);
  return units;
}

Result<Widths> PlanByLayer(std::span<const PruneCandidate> candidates, const PlanCosts& costs,
                           double target) {
  const ChannelCosts& cost = costs.cost;
  target += kSlack * cost.whole();
  const auto at = [&](int parts) {
    Widths units = cost.all_units();
    for (const PruneCandidate& candidate : candidates) {
      const double asked = static_cast<double>(candidate.widths[0]) * parts / kLayerParts;
      const auto distance = [&](int64_t width) {
        return std::abs(static_cast<double>(width) - asked);
      };
      units[candidate.group] = *std::ranges::min_element(candidate.widths, {}, distance);
    }
    return units;
  };
  int low = 0, high = kLayerParts;  // `high` is not within, `low` perhaps
  if (cost.whole() <= target) return cost.all_units();
  if (const double least = cost.Of(at(0)); least > target) return Fail(Unmet(cost, least, target));
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (cost.Of(at(middle)) <= target ? low : high) = middle;
  }
  return at(low);
}

std::vector<std::vector<int64_t>> UnitsThatStay(std::span<const PruneCandidate> candidates,
                                                const Widths& widths) {
  std::vector<std::vector<int64_t>> stay;
  for (const PruneCandidate& candidate : candidates) {
    const int64_t gone = candidate.widths[0] - widths[candidate.group];
    std::vector<int64_t>& units =
        stay.emplace_back(candidate.order.begin() + gone, candidate.order.end());
    std::ranges::sort(units);
  }
  return stay;
}

}  // namespace pare::compress
