// What calibration learns of the values of a float model: one pass over the samples, memory that
// doesn't grow with them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "compress/quantize/histogram.h"
#include "data/loader.h"
#include "model/model.h"

namespace pare::compress {

struct TensorStatistics {
  Histogram histogram;
  // By channel (dimension 1 of the source's layout; the last one for matrices): the mean over
  // samples and positions, and the largest magnitude.
  std::vector<double> channel_sum;
  std::vector<float> channel_max;
  int64_t per_channel = 0;  // values summed for each channel

  std::vector<double> ChannelMeans() const;
};

using Statistics = std::map<std::string, TensorStatistics>;

// Runs `graph` over all samples of the loader and looks at `values`. A value that is never finite,
// or never computed, is an error that names it.
Result<Statistics> Collect(const graph::Graph& graph, const std::vector<graph::ValueId>& values,
                           data::Loader& loader, const model::Context& context, Progress& progress);

}  // namespace pare::compress
