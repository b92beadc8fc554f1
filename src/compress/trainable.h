// Which models are not to be trained as they are.
#pragma once

#include "train/parameters.h"

namespace pare::compress {

// Fails (kUnsupported) for a quantized model (IsQuantized) without a matrix or filter in float that
// training would move: to train its vectors alone is what nobody means who doesn't name them.
Status CheckTrainable(const graph::Graph& graph, const train::ParameterOptions& parameters);

}  // namespace pare::compress
