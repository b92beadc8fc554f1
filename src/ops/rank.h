// How many axes a tensor may have. Ranks come from files as lengths of other tensors, which cost a
// file nothing to claim.
#pragma once

#include <optional>
#include <string_view>

#include "ops/node_view.h"

namespace pare::ops {

inline constexpr size_t kMaxRank = 64;

Status CheckRank(size_t rank, std::string_view what);

// The shape whose extents are the elements of input `i`: each maybe unknown; nullopt where not even
// the rank is known.
Result<std::optional<graph::Shape>> ShapeFrom(const InferContext& context, int i);

}  // namespace pare::ops
