// What engines without VNNI make of a quantized model: the sum of two neighbouring 8-bit products
// saturates there at 16 bits.
#pragma once

#include "compress/report.h"
#include "data/loader.h"
#include "model/model.h"

namespace pare::compress {

// The answers of `session`, which runs `quantized`, and of the same graph with such products,
// both against those of `reference`. The loader has the inputs of `reference`.
Result<Saturation> CompareSaturating(runtime::Session& reference, runtime::Session& session,
                                     const graph::Graph& quantized, data::Loader& loader,
                                     Metric metric, const model::Context& context,
                                     Progress& progress);

}  // namespace pare::compress
