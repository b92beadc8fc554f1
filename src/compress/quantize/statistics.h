// What calibration learns of the values of a float model: one pass over the samples, memory that
// doesn't grow with them.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/function_ref.h"
#include "base/progress.h"
#include "compress/quantize/histogram.h"
#include "data/loader.h"
#include "model/model.h"

namespace pare::compress {

struct TensorStatistics {
  Histogram histogram;
  // By channel (dimension 1 of the source's layout; the last one for matrices and where `in_rows`):
  // the mean over samples and positions, the mean square, and the largest magnitude.
  std::vector<double> channel_sum, channel_square;
  std::vector<float> channel_max;
  int64_t per_channel = 0;  // values summed for each channel
  bool in_rows = false;     // a MatMul by weights reads it, and no convolution
  bool mixed = false;       // batches differ in their channels: nothing is known of these

  void Merge(const TensorStatistics& other);
  std::vector<double> ChannelMeans() const;
  std::vector<double> ChannelPower() const;
};

using Statistics = std::map<std::string, TensorStatistics>;

// Positions of each batch that are looked at channel by channel: a mean over many samples doesn't
// need all.
inline constexpr int64_t kFewPositions = 64, kManyPositions = 512;

// Runs `graph` over all samples of the loaders and looks at `values`, several loaders at a time;
// the result depends on how samples are spread over loaders, but not on the threads. A value that
// is never finite, or never computed, is an error that names it. `progress` advances by the
// samples. `keep` gets each batch with the graph's outputs (floats as float32), one after the other
// of a loader.
using Keep = FunctionRef<void(size_t loader, data::Batch batch, std::vector<Tensor> outputs)>;
Result<Statistics> Collect(const graph::Graph& graph, const std::vector<graph::ValueId>& values,
                           std::span<data::Loader> loaders, const model::Context& context,
                           int64_t positions, Keep keep, Progress& progress);

}  // namespace pare::compress
