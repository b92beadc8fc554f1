// What of a graph becomes integer, and which values share a scale: decided from the operators'
// rules alone, before any data is seen.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace pare::compress {

struct SchemeOptions {
  // Glob patterns: over the operators of layers, and over the names of their nodes and outputs,
  // those of a bias and a clamp that belong to them among these.
  std::vector<std::string> keep_float;
  std::map<std::string, std::string> given_back;  // layer name → why it stays float after all
};

// One operator that computes (moves are no layers).
struct Layer {
  graph::NodeId node;
  std::string name;  // of its output, after a bias of its own and a fused activation
  std::string op;
  bool integer = false;
  std::string reason;     // why not, where not
  bool weighted = false;  // has a quantized weight
  bool matched = false;   // by a pattern of `keep_float`
};

struct Scheme {
  std::vector<Layer> layers;
  // Values that get Q/DQ, each with the group whose scale it shares.
  std::map<graph::ValueId, int> group_of;
  int groups = 0;

  const Layer* find(graph::NodeId node) const;
  bool quantized(graph::ValueId value) const { return group_of.contains(value); }
};

// `graph` is simplified and has its types inferred.
Scheme MakeScheme(const graph::Graph& graph, const SchemeOptions& options);

// Whether an integer operator takes a clamp (Relu, Clip) behind it into its own: both are a layer.
bool IsClamp(const graph::Node& node);
bool AbsorbsClamp(const graph::Node& node);

// Whether a pattern of `keep_float` speaks of any layer of the graph.
bool MatchesAny(const graph::Graph& graph, const std::string& pattern);

}  // namespace pare::compress
