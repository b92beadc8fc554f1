// Weights that patterns name.
#pragma once

#include <string>
#include <vector>

#include "train/parameters.h"

namespace pare::train {

// The names of those trained weights that a pattern names, or a node that reads them. Fails
// (kUsage) where a pattern names none: `option` is whose patterns these are.
Result<std::vector<std::string>> NamedWeights(const graph::Graph& model,
                                              const ParameterOptions& parameters,
                                              const std::vector<std::string>& patterns,
                                              std::string_view option);

}  // namespace pare::train
