// Which constants of a trained graph training moves.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "passes/pipeline.h"

namespace pare::train {

// How a model is loaded that shall be trained: normalisations stay apart from the weights, and
// weights that happen to be equal now stay two.
inline const passes::PassOptions kTrainable{.switches = "-FoldBatchNorm,-merge-constants"};

struct ParameterOptions {
  // Glob patterns over the names of weights, and of the nodes that read them. Frozen ones stay as
  // they are; where `only` is not empty, so do all that it does not name.
  std::vector<std::string> freeze, only;
  // Names of constants that move though no record calls them parameters; patterns don't count.
  std::vector<std::string> also;
};

// Whether a glob pattern speaks of a weight: by its name, or by that of a node that reads it.
bool IsNamed(const graph::Graph& graph, const std::string& pattern, graph::ValueId weight);

// The constants that the records name as parameters (ops::GradRule), in the order of their first
// use. Operands of arithmetic only behind such a layer (before the first they prepare the input),
// and only those that have a number for each of a layer's channels: other constants (masks, tables
// of places, grids) move where `only` names them. None whose values aren't all finite does.
// Fails where a pattern matches nothing, or nothing is left to train.
Result<std::vector<graph::ValueId>> FindParameters(const graph::Graph& graph,
                                                   const ParameterOptions& options);
// Those other constants, where nothing is said of them.
std::vector<graph::ValueId> LeftAlone(const graph::Graph& graph, const ParameterOptions& options);

// The graph with these constants as parameters, each with bytes of its own that may be written.
Result<graph::Graph> WithParameters(const graph::Graph& graph,
                                    const std::vector<graph::ValueId>& parameters);

// The fan-in of the layer whose matrix or filters stand in this place (ops::GradRule::fan_in); 0
// where they don't.
int64_t FanInOf(const graph::Graph& graph, graph::Use use);

}  // namespace pare::train
