// Bias correction: rounding the weights shifts the mean of each output channel; the bias takes it
// back. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
// 2019, eq. 17, with the input's mean measured on the calibration data instead of taken from
// BatchNormalization.
#pragma once

#include <map>

#include "compress/quantize/scheme.h"
#include "compress/quantize/statistics.h"
#include "compress/quantize/write_qdq.h"

namespace pare::compress {

// What rounding the weights of `node` does to each output channel on average; empty where the input
// has no channel means.
std::vector<double> MeanShift(const graph::Graph& graph, const graph::Node& node,
                              const Statistics& statistics, const QuantizedWeights& rounded);

// Takes the shifts back from the float biases of the weighted integer layers of `graph`, to be
// called before WriteQdq with the same weights. A Conv or Gemm without a bias gets one; that of a
// MatMul is the constant of an Add behind it, and without such an Add the shift stays. Whether any
// was corrected.
bool CorrectBiases(graph::Graph& graph, const Scheme& scheme, const LayerWeights& weights);

// What is left at the model's outputs, all roundings together, is measured there: the empirical
// correction of the same paper's appendix D, for the layers whose results are outputs.
//
// The layer that computes output `index` of the graph, with nothing but moves of whole channels and
// the Cast to the output's float type behind it; null where there is none, or it has no bias
// operand.
const Layer* OutputLayer(const graph::Graph& graph, const Scheme& scheme, int index);
// Takes a shift of `layer`'s output from its bias.
void ShiftBias(graph::Graph& graph, const Layer& layer, const std::vector<double>& shift);

}  // namespace pare::compress
