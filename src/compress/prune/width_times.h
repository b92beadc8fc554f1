// What each layer takes at the widths its channel groups may have, measured on this machine:
// kernels compute in blocks, so that a layer of half the channels can take as long as a whole one.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/function_ref.h"
#include "base/progress.h"
#include "compress/prune/costs.h"
#include "compress/prune/plan.h"

namespace pare::compress {

// Milliseconds by layer of each graph, which run by turns.
using TimeLayers = FunctionRef<Result<std::vector<std::map<std::string, double>>>(
    std::span<const graph::Graph* const>)>;

// Each group is narrowed to some of its widths while the others stay whole, groups that meet in no
// layer at once; a layer takes the product of what its groups leave of its time.
Result<ChannelCosts> MeasureWidths(const graph::Graph& graph, const Channels& channels,
                                   std::span<const PruneCandidate> candidates, TimeLayers measure,
                                   Progress& progress);

// Of `widths` (all units first) at most `most` narrower ones, evenly apart by an even number of
// steps where they are thinned, so that they stay multiples of blocks; the least is one of them.
std::vector<int64_t> WidthsToMeasure(const std::vector<int64_t>& widths, int64_t most);

}  // namespace pare::compress
