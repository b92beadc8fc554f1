// Removes channels: a smaller graph of the same operators.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "compress/prune/groups.h"

namespace pare::compress {

// What stays of a group: ascending indices of its units, at least one.
struct KeptUnits {
  int group = -1;
  std::vector<int64_t> units;
};

// `graph` without the units that `kept` does not name; groups that it does not name stay whole.
// `channels` is of this very graph. Names stay. Fails (kUsage) for a group that is not prunable,
// and (kInternal) where what the records said and the types inferred anew disagree.
Result<graph::Graph> RemoveChannels(const graph::Graph& graph, const Channels& channels,
                                    std::span<const KeptUnits> kept);

// By axis of `channels`: the positions that stay; nothing where all do. Fails as above for a group
// that is not prunable.
Result<std::vector<std::optional<std::vector<int64_t>>>> KeptPositions(
    const Channels& channels, std::span<const KeptUnits> kept);

// The positions of a tensor along an axis, in the order given.
Result<Tensor> TakePositions(const Tensor& tensor, int axis, std::span<const int64_t> positions);

}  // namespace pare::compress
