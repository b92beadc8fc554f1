// What each group loses, and gains in time, by how much of it goes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compress/prune/prune.h"

namespace pare::compress {

struct SensitivityPoint {
  double gone = 0;                  // part of the units
  int64_t units = 0;                // that stay
  double error = 0;                 // Σ (pruned − model)² / Σ model² of the outputs
  std::optional<double> agreement;  // of classifiers, percent
  double ms = 0;
};
struct GroupSensitivity {
  std::string name;  // as PruneGroup has it
  int64_t size = 0;
  std::vector<SensitivityPoint> points;
};

// Of the groups that `options` would cut: each alone without an eighth, a quarter, a half and three
// quarters of its units (at the widths that are permitted), chosen by least squares (by what they
// add, where that is the importance), the layers behind fitted. `ms` measures a graph.
Result<std::vector<GroupSensitivity>> MeasureSensitivity(const graph::Graph& model,
                                                         const PruneOptions& options,
                                                         const PruneSamples& samples,
                                                         const model::Context& context,
                                                         GraphCost ms, Progress& progress);

}  // namespace pare::compress
