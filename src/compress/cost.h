// What a graph costs, exactly, from its records.
#pragma once

#include <cstdint>

#include "graph/graph.h"

namespace pare::compress {

struct ModelCost {
  int64_t macs = 0;        // multiply-accumulates of one sample
  int64_t parameters = 0;  // numbers in constants of float types
};
// Free leading dimensions are 1; another free dimension is an error that names it.
Result<ModelCost> CostOf(const graph::Graph& graph);

}  // namespace pare::compress
