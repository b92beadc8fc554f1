// Models of other float types, for what reckons with float32.
#pragma once

#include "base/progress.h"
#include "graph/graph.h"
#include "passes/pipeline.h"

namespace pare::compress {

// `simplified`, where it computes in float32 or in types of its own (f64 without products), or else
// the same model made to: inputs and outputs keep their types, with Casts behind and before them,
// and layers keep their names. Tells the progress where it did so. `simplify` as for the first
// time.
Result<graph::Graph> Widened(const graph::Graph& simplified, Progress& progress,
                             const passes::PassOptions& simplify = {});

}  // namespace pare::compress
