// Inputs of a model that don't come from a dataset: shapes of free dimensions, arrays from files,
// made-up numbers.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "cli/parser.h"
#include "graph/graph.h"

namespace pare::cli {

// "--shape NAME=1x128": NAME is an input, or a symbol of the graph ("sequence=128"); without a NAME
// the only input is meant.
void DeclareShapes(Parser& parser, std::vector<std::string>& shapes);

// A size for every dimension of every input: as the file says, as `given` says (symbols carry over
// to other inputs), else `batch` for a leading one. What is free then is an error that names it.
Result<std::vector<Dims>> ResolveShapes(const graph::Graph& graph,
                                        const std::vector<std::string>& given, int64_t batch);

// Floats uniform in [−1, 1), bytes uniform; wider integers are 0, which any index may be, and 1
// where the name speaks of a mask. The same seed gives the same numbers everywhere.
Result<std::vector<Tensor>> MakeInputs(const graph::Graph& graph, const std::vector<Dims>& shapes,
                                       uint64_t seed);

enum class CastInputs : uint8_t { kNo, kYes };
// The files that "[NAME=]FILE" may mean: names may hold '=', too.
std::vector<std::string> InputPaths(const std::string& given);
// Each of `given` is "[NAME=]x.npy" or an .npz with arrays by name, of which those that no input
// asks for are left out with a note. All inputs must be given; the element types must be the
// model's, unless they may be cast.
Result<std::vector<Tensor>> ReadInputs(const graph::Graph& graph,
                                       const std::vector<std::string>& given, CastInputs cast,
                                       Progress& progress);

}  // namespace pare::cli
