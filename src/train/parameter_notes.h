// What a user should know of the weights that training moves, and of those that it doesn't.
#pragma once

#include <string>
#include <vector>

#include "train/parameters.h"

namespace pare::train {

// Sentences, none where there is nothing to tell: constants that are left alone; weights that were
// one in the network's source, and that training moves apart.
Result<std::vector<std::string>> NotesOnParameters(const graph::Graph& graph,
                                                   const ParameterOptions& options);

}  // namespace pare::train
