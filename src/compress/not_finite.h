// Weights that are no numbers.
#pragma once

#include <string>

#include "base/status.h"
#include "graph/graph.h"

namespace pare::compress {

// Which weights of the graph hold NaN or infinities, or other constants NaN: a sentence that names
// the first; "" where there are none. An infinity outside of weights may be meant, as in masks.
std::string NotFiniteWeights(const graph::Graph& graph);
// The same, and what follows from it; "" where there are none.
std::string NotFiniteNote(const graph::Graph& graph);
// Fails (kInvalid) with that sentence.
Status CheckWeights(const graph::Graph& graph);

}  // namespace pare::compress
