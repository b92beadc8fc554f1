// Whether a student and its teachers fit together: known before anything runs.
#pragma once

#include <span>
#include <string>

#include "data/preprocess.h"
#include "graph/graph.h"

namespace pare::compress {

// Leaves the teacher the outputs that the student has, in the student's order: by name where it has
// all of these names and they fit, else all of its outputs as they stand. Fails (kUsage) where
// these are not as many, or hold a different number of values for a sample; the reason lists them.
Status MatchOutputs(const graph::Graph& student, graph::Graph& teacher);

struct PreparedModel {
  std::string name;  // of its file, for messages
  const graph::Graph& graph;
  data::Preprocess preprocess;  // as stored in the graph's metadata, and changed by what was given
};
// What all models are fed with: what any of them knows. The first model's where none does. Fails
// (kUsage) where two know of different preprocessing.
Result<data::Preprocess> SharedPreprocess(std::span<const PreparedModel> models);

}  // namespace pare::compress
