// The text form of a graph (.pg): what people read, tests compare and `diff` shows.
//
// clang-format off
//   graph resnet                                   optional, first
//   opset 17                                       of ai.onnx; `opset com.microsoft 1` of others
//   input x: f32[N,3,32,32]                        N a symbol, ? an unknown size; only f32: no rank
//   const c: i64[2] = [1,-1]                       also `param` and `state`
//   const w: f32[16,3,3,3] = random(7, -0.5, 0.5)  seed, low, high; or fill(0.25), or iota()
//   y: f32[N,16,16,16] = Conv(x, w, _) {group=1, strides=[2,2]}  # the node's name
//   a, b = Split(y) {axis=1}                       types of results may be left out
//   _, c = TopK(y, k)                              _ an operand or a result that is not there
//   output y
//   output a as "another name"
//   assign w = w_next                              after a run the param or state w holds w_next
// clang-format on
//
// Names of letters, digits and `_./-` stand as they are, others between quotes with \n \t \"
// \\ \xNN. A float attribute has a point or an exponent (1.0), an integer has not. A line that
// begins with # is a comment.
#pragma once

#include <string>
#include <string_view>

#include "graph/graph.h"

namespace pare::graph {

struct TextOptions {
  // Constants of more elements than this are printed as hash(…) of their bytes, or with `hashes`
  // off as `...`; neither can be parsed.
  int64_t max_values = 16;
  bool hashes = true;
};

std::string Print(const Graph& graph, const TextOptions& options = {});

// Errors name the line. The graph is consistent (see Verify) but its types are as written.
Result<Graph> Parse(std::string_view text);

}  // namespace pare::graph
