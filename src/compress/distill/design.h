// A smaller architecture from a larger one, to be taught by it: fewer channels in each group, fewer
// residual blocks in each stage, begun with those of the larger that matter most; separable
// convolutions for dense ones.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/function_ref.h"
#include "base/progress.h"
#include "compress/distill/separable.h"
#include "graph/graph.h"

namespace pare::compress {

struct DesignOptions {
  double width = 1;        // the part of each group's channels that stays
  double depth = 1;        // the part of each stage's residual blocks that stays
  bool separable = false;  // dense convolutions become depthwise and 1x1 ones (separable.h)
  // Layers that keep their width, and their form: glob patterns over the names of nodes, of their
  // outputs, and of their weights.
  std::vector<std::string> keep;
};

struct DesignedGroup {
  std::string name;               // the first layer that makes its channels
  int64_t before = 0, after = 0;  // units
  std::string why_not;            // where it had to stay
  std::string why_inexact;        // where what stays computes something else (compress/prune)
};

struct Design {
  graph::Graph graph;
  double width = 1, depth = 1;
  double cost = 0;                          // where a search found it
  std::vector<DesignedGroup> groups;        // those that weights make
  std::vector<std::string> removed_blocks;  // by the names of their sums
  std::vector<SeparatedLayer> separated;
  int blocks = 0;  // of `model`
};

// How many of `size` units stay, each of which is `channels` wide. From 16 channels up a multiple
// of 8, or of 4 where that misses the asked width by more than 15 %; at least 4.
int64_t DesignedUnits(int64_t size, int64_t channels, double width);

// `model` as loaded with train::kTrainable: a float model. A quantized one, or a pattern that
// matches no layer, is an error.
Result<Design> MakeDesign(const graph::Graph& model, const DesignOptions& options);

// What a design costs: its MACs, its milliseconds.
using DesignCost = FunctionRef<Result<double>(const graph::Graph&)>;
struct DesignTarget {
  double most = 0;
  std::string unit{};  // of the cost, for messages
};
// A wide design whose cost is at most `target`, and near it where channels allow: one width for all
// by bisection; then, group by group, the next width that rounding gives; then, where less than
// 85 % of the target are used, single units. Its `width` is the first of these. The depth is
// `depth`, or where nothing is given, goes down by quarters as far as narrow designs are not
// enough. Fails (kUnmet) with what is least where none is.
Result<Design> SearchDesign(const graph::Graph& model, const DesignOptions& options,
                            std::optional<double> depth, const DesignTarget& target,
                            DesignCost cost, Progress& progress);

}  // namespace pare::compress
