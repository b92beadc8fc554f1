// Channels-last permutations: N,C,spatial… ↔ N,spatial…,C.
#pragma once

#include "graph/graph.h"

namespace pare::passes {

graph::Ints ToLast(int rank);   // of N,C,H,W: 0,2,3,1
graph::Ints ToFirst(int rank);  // of N,H,W,C: 0,3,1,2
graph::TensorType Permuted(const graph::TensorType& type, std::span<const int64_t> perm);
// Where dimension `axis` of N,C,spatial… stands in N,spatial…,C. Negative axes count from the end.
int64_t AxisInLast(int64_t axis, int rank);

bool OneOf(std::string_view op, std::initializer_list<std::string_view> ops);

// The target with which a Reshape of `from` gives `to`; nullopt where no constant says it.
std::optional<graph::Ints> ReshapeTarget(const graph::Shape& from, const graph::Shape& to);
// Whether the permutation moves only dimensions of size 1, so that a Reshape does the same.
bool IsReshape(const graph::Shape& shape, std::span<const int64_t> perm);

}  // namespace pare::passes
