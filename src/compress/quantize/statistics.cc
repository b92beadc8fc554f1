#include "compress/quantize/statistics.h"

#include <algorithm>
#include <cmath>

namespace pare::compress {
namespace {

using runtime::PinnedValue;

// Adds the channels of `count` rows of `channels` interleaved values. Of many rows only every
// `stride`th: a mean over thousands of positions doesn't need them all.
void AddRows(TensorStatistics& s, const float* data, int64_t rows, int64_t channels,
             int64_t stride) {
  for (int64_t row = 0; row < rows; row += stride) {
    const float* values = data + row * channels;
    for (int64_t c = 0; c < channels; ++c) {
      s.channel_sum[c] += values[c];
      s.channel_max[c] = std::max(s.channel_max[c], std::fabs(values[c]));
    }
    ++s.per_channel;
  }
}

// The same for channels that lie in planes of `inner` values.
void AddPlanes(TensorStatistics& s, const float* data, int64_t outer, int64_t channels,
               int64_t inner) {
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t c = 0; c < channels; ++c) {
      const float* plane = data + (o * channels + c) * inner;
      for (int64_t i = 0; i < inner; ++i) {
        s.channel_sum[c] += plane[i];
        s.channel_max[c] = std::max(s.channel_max[c], std::fabs(plane[i]));
      }
    }
    s.per_channel += inner;
  }
}

void AddChannels(TensorStatistics& s, const PinnedValue& value, const float* data, int64_t count) {
  const Dims dims = value.type.dims();
  if (dims.size() < 2 || count == 0) return;
  const bool planes = dims.size() > 3 && !value.channels_last;
  const int64_t channels = planes ? dims[1] : dims.back();
  s.channel_sum.resize(channels);
  s.channel_max.resize(channels);
  if (planes) {
    AddPlanes(s, data, dims[0], channels, count / (dims[0] * channels));
  } else {
    const int64_t rows = count / channels;
    AddRows(s, data, rows, channels, std::max<int64_t>(rows / 512, 1));
  }
}

}  // namespace

std::vector<double> TensorStatistics::ChannelMeans() const {
  std::vector<double> means = channel_sum;
  for (double& mean : means) mean /= static_cast<double>(std::max<int64_t>(per_channel, 1));
  return means;
}

Result<Statistics> Collect(const graph::Graph& graph, const std::vector<graph::ValueId>& values,
                           data::Loader& loader, const model::Context& context,
                           Progress& progress) {
  graph::Graph pinned = graph;
  Statistics statistics;
  for (graph::ValueId id : values) {
    if (graph.is_constant(id)) continue;
    pinned.SetPinned(id, true);
    statistics[graph.value(id).name];
  }
  PARE_ASSIGN(auto session, model::MakeSession(pinned, context));

  const auto look = [&](const PinnedValue& value, const void* data) {
    const auto at = statistics.find(value.name);
    if (at == statistics.end() || value.type.dtype != DType::kF32) return;
    const int64_t count = CountOf(value.type.dims()).value();
    const auto* floats = static_cast<const float*>(data);
    at->second.histogram.Add({floats, static_cast<size_t>(count)});
    AddChannels(at->second, value, floats, count);
  };
  const runtime::Observer observer(look);

  progress.Stage("calibrating", loader.samples());
  loader.Rewind();
  std::vector<Tensor> outputs(graph.outputs().size());
  while (true) {
    PARE_TRY(progress.Check());
    PARE_ASSIGN(const auto batch, loader.Next());
    if (!batch) break;
    PARE_TRY(session->Run(batch->inputs, outputs, {.observer = &observer}));
    progress.Advance(batch->count());
  }
  for (const auto& [name, s] : statistics) {
    if (!s.histogram.empty()) continue;
    return Fail(ErrorKind::kInvalid,
                s.histogram.non_finite()
                    ? Text("the value \"", name, "\" is never a finite number")
                    : Text("the value \"", name, "\" was not seen while calibrating"),
                "`pare run` on one sample shows what the float model gives");
  }
  return statistics;
}

}  // namespace pare::compress
