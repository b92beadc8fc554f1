// Layers that sum over channels, seen as what they are at each place of their output: y = x·W + b,
// a row of x (the window of a convolution, a row of a matrix) and a row of y.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace pare::compress {

struct LinearLayer {
  graph::NodeId node = graph::NodeId::kNone;
  graph::ValueId x = graph::ValueId::kNone, y = graph::ValueId::kNone;
  int weights = 1;                   // the input that holds W
  int64_t groups = 1;                // of a convolution: as many products side by side
  int64_t columns = 0, outputs = 0;  // of x and of y, in one group
  bool window = false;               // a convolution: a column is (channel, place of the window)
  bool outputs_first = false;        // W is stored [outputs, columns]
};

// Conv, Gemm (without factors, x not transposed) and MatMul with stored float weights; nothing for
// others.
std::optional<LinearLayer> FindLinear(const graph::Graph& graph, graph::NodeId id);

// W of one group, [columns, outputs].
std::vector<double> WeightMatrix(const graph::Graph& graph, const LinearLayer& layer,
                                 int64_t group);
// Puts W and b of all groups, one after the other, in place of the layer's: as constants of its own
// where others read the old ones. `bias` is empty, or has groups × outputs elements; that of a
// MatMul is added to the constant of the sum behind it. See HasBias.
Status SetLinear(graph::Graph& graph, const LinearLayer& layer, std::span<const double> weights,
                 std::span<const double> bias);
// Whether the layer can have a bias.
bool HasBias(const graph::Graph& graph, const LinearLayer& layer);
// As it is now; zeros for a MatMul.
std::vector<double> BiasOf(const graph::Graph& graph, const LinearLayer& layer);

// Some of the places of each sample, the same for x and for y, and in every run.
struct RowChoice {
  int64_t samples = 0;     // that the batch has
  int64_t first = 0;       // the number of its first sample in the whole run
  int64_t per_sample = 1;  // places of a sample that are wanted
  int64_t valid = 0;       // samples that count: the rest fills the batch up
};
// Rows [rows, columns] of one group from the layer's input, and [rows, groups × outputs] from its
// output; empty where a batch is not seen in their first dimension.
Result<Tensor> RowsOfX(const graph::Graph& graph, const LinearLayer& layer, int64_t group,
                       const Tensor& x, const RowChoice& choice);
Result<Tensor> RowsOfY(const LinearLayer& layer, const Tensor& y, const RowChoice& choice);

}  // namespace pare::compress
