// What to do where a model has no layer of a name.
#pragma once

#include <string>
#include <string_view>

#include "graph/graph.h"

namespace pare::train {

// Names the values of the graph whose names are near (at most three), and the command that lists
// them all.
std::string LayerAdvice(const graph::Graph& graph, std::string_view name);

}  // namespace pare::train
