// A fixed batch of 1 in a file is not a law. Where every operator treats the samples of a batch one
// by one, the leading dimension of the inputs may as well be N.
//
// This is followed through the graph, value by value: along which axis the samples are stacked. An
// operator that would mix them (a Softmax along that axis, a contraction over it), or that is not
// known here, ends the attempt, and the graph stays as it was.
#pragma once

#include <string>

#include "graph/graph.h"

namespace pare::onnx {

struct BatchReport {
  bool freed = false;  // the leading dimensions are a symbol now
  std::string reason;  // why not; empty where they already were, or where `freed`
};

// Makes the leading dimension of all inputs and outputs a symbol ("N"), where inputs have a leading
// 1. Targets of Reshape with that 1 inside are rewritten. Types are inferred anew.
BatchReport FreeBatch(graph::Graph& graph);

}  // namespace pare::onnx
