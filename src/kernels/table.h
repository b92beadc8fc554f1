// Walking a family's table of rows (see kernel.h). Not for the translation units of an ISA.
#pragma once

#include <limits>

#include "kernels/kernel.h"
#include "platform/cpu.h"

namespace pare::kernels {

// The cheapest row that `cpu` can run and that supports `shape`; without costs, and among equals,
// the first. Null where no row supports the shape.
template <typename Functions, typename Shape>
const Row<Functions>* FindRow(Rows<Functions> rows, const Cpu& cpu, const Shape& shape) {
  const Row<Functions>* best = nullptr;
  double best_cost = std::numeric_limits<double>::infinity();
  for (const Row<Functions>& row : rows) {
    if (!cpu.has(row.isa) || !row->supports(shape)) continue;
    const double cost = row->cost ? row->cost(shape) : best ? best_cost : 0.0;
    if (best && !(cost < best_cost)) continue;
    best = &row;
    best_cost = cost;
  }
  return best;
}

}  // namespace pare::kernels

// Expand a family's .inc in its .cc (gemm/gemm.cc shows it): the declarations, then the table.
#define PARE_DECLARE_ROW(type, isa, symbol) PARE_ON(isa, extern const type symbol;)
#define PARE_TABLE_ROW(isa, symbol) PARE_ON(isa, {Isa::isa, #symbol, &symbol}, )
