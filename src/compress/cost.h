// What a graph costs, exactly, from its records.
#pragma once

#include <cstdint>
#include <span>

#include "graph/graph.h"

namespace pare::compress {

struct ModelCost {
  int64_t macs = 0;        // multiply-accumulates
  int64_t parameters = 0;  // numbers in constants of float types
};
// For inputs of these shapes, in the order of the graph's.
Result<ModelCost> CostOf(const graph::Graph& graph, std::span<const Dims> shapes);

}  // namespace pare::compress
