// Constants as vectors of doubles: the arithmetic that passes do on weights.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace pare::passes {

// The elements of a tensor of any type but kNone.
std::vector<double> Doubles(const Tensor& tensor);
// Rounded once, to `dtype`.
Tensor FromDoubles(DType dtype, Dims shape, std::span<const double> values);

// The elements of a constant that holds one value for each index of `axis` of a value of `rank`
// dimensions (shape [C,1,1] for axis 1 of 4), or a single one. nullopt where it is no such thing.
std::optional<std::vector<double>> AlongAxis(const Tensor& tensor, int rank, int axis,
                                             int64_t size);

// The tensor with dimension perm[i] at place i.
Tensor Transposed(const Tensor& tensor, std::span<const int64_t> perm);

}  // namespace pare::passes
