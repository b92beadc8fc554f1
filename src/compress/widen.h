// Models of other float types, for what reckons with float32.
#pragma once

#include "base/progress.h"
#include "graph/graph.h"

namespace pare::compress {

// `simplified`, where it computes in float32 or in types of its own (f64 without products), or else
// the same model made to: inputs and outputs keep their types, with Casts behind and before them,
// and layers keep their names. Tells the progress where it did so.
Result<graph::Graph> Widened(const graph::Graph& simplified, Progress& progress);

}  // namespace pare::compress
