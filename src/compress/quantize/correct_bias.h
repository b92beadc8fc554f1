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

// Changes the float biases of the weighted integer layers of `graph` (adding one where there is
// none), to be called before WriteQdq with the same options. A layer whose input has no channel
// means is left.
Status CorrectBiases(graph::Graph& graph, const Scheme& scheme, const Statistics& statistics,
                     const WeightOptions& options);

}  // namespace pare::compress
