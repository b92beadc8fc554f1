#include "compress/quantize/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "compress/for_each_answer.h"
#include "compress/guarded.h"

namespace pare::compress {
namespace {

using runtime::PinnedValue;

// Adds the channels of rows of `channels` interleaved values, every `stride`th row. A cache line of
// channels at a time is summed in floats over the rows of this one call.
void AddRows(TensorStatistics& s, const float* data, int64_t rows, int64_t channels,
             int64_t stride) {
  typedef float Lanes __attribute__((vector_size(16)));
  constexpr int64_t kVectors = 4, kLanes = 4, kBlock = kVectors * kLanes;
  for (int64_t c = 0; c < channels; c += kBlock) {
    const int64_t count = std::min(kBlock, channels - c);
    Lanes sum[kVectors] = {}, square[kVectors] = {}, high[kVectors] = {}, low[kVectors] = {};
    for (int64_t row = 0; row < rows; row += stride) {
      Lanes value[kVectors] = {};
      if (count == kBlock) {
        std::memcpy(value, data + row * channels + c, sizeof value);
      } else {
        std::memcpy(value, data + row * channels + c, static_cast<size_t>(count) * sizeof(float));
      }
#pragma GCC unroll 4
      for (int64_t k = 0; k < kVectors; ++k) {
        sum[k] += value[k];
        square[k] += value[k] * value[k];
        high[k] = value[k] > high[k] ? value[k] : high[k];
        low[k] = value[k] < low[k] ? value[k] : low[k];
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      const int64_t k = i / kLanes, lane = i % kLanes;
      s.channel_sum[c + i] += sum[k][lane];
      s.channel_square[c + i] += square[k][lane];
      s.channel_max[c + i] = std::max({s.channel_max[c + i], high[k][lane], -low[k][lane]});
    }
  }
  s.per_channel += (rows + stride - 1) / stride;
}

// The same for channels that lie in planes of `inner` values.
void AddPlanes(TensorStatistics& s, const float* data, int64_t outer, int64_t channels,
               int64_t inner, int64_t stride) {
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t c = 0; c < channels; ++c) {
      const float* plane = data + (o * channels + c) * inner;
      for (int64_t i = 0; i < inner; i += stride) {
        const double value = plane[i];
        s.channel_sum[c] += value;
        s.channel_square[c] += value * value;
        s.channel_max[c] = std::max(s.channel_max[c], std::fabs(plane[i]));
      }
    }
    s.per_channel += (inner + stride - 1) / stride;
  }
}

bool FitsChannels(const TensorStatistics& s, size_t channels) {
  return s.channel_sum.empty() || s.channel_sum.size() == channels;
}

void ForgetChannels(TensorStatistics& s) {
  s.mixed = true;
  s.channel_sum.clear();
  s.channel_square.clear();
  s.channel_max.clear();
}

void AddChannels(TensorStatistics& s, const PinnedValue& value, const float* data, int64_t count,
                 int64_t positions) {
  const Dims dims = value.type.dims();
  if (dims.size() < 2 || count == 0) return;
  if (s.in_rows && value.channels_last) return;  // other channels than those that are asked for
  if (dims.size() == 3 && !value.channels_last && !s.in_rows) return;  // [N, C, L], [N, L, C]?
  const bool planes = dims.size() > 3 && !value.channels_last && !s.in_rows;
  const int64_t channels = planes ? dims[1] : dims.back();
  if (s.mixed || !FitsChannels(s, static_cast<size_t>(channels))) return ForgetChannels(s);
  s.channel_sum.resize(channels);
  s.channel_square.resize(channels);
  s.channel_max.resize(channels);
  if (planes) {
    const int64_t inner = count / (dims[0] * channels);
    AddPlanes(s, data, dims[0], channels, inner, std::max<int64_t>(inner / positions, 1));
  } else {
    const int64_t rows = count / channels;
    AddRows(s, data, rows, channels, std::max<int64_t>(rows / positions, 1));
  }
}

std::vector<double> Divided(std::vector<double> sums, int64_t count) {
  for (double& sum : sums) sum /= static_cast<double>(std::max<int64_t>(count, 1));
  return sums;
}

// What a product by weights reads has its channels in the last dimension, whatever stands before;
// but what a convolution reads, too, has them where that looks for them.
bool IsRows(const graph::Graph& graph, graph::ValueId id) {
  bool product = false;
  for (const graph::Use& use : graph.value(id).uses) {
    const graph::Node& node = graph.node(use.node);
    if (node.op == "Conv" || node.op == "ConvTranspose") return false;
    product |= node.op == "MatMul" && use.input == 0 && graph.is_constant(node.inputs[1]);
  }
  return product;
}

// One loader's samples, each in the caller's thread.
class Collector {
 public:
  Collector(Statistics statistics, int64_t positions)
      : statistics_(std::move(statistics)), positions_(positions) {}

  Status Run(runtime::Session& session, data::Loader& loader, const auto& keep, Progress& progress,
             std::mutex& progress_mutex) {
    const auto look = [this](const PinnedValue& value, const void* data) { Look(value, data); };
    const runtime::Observer observer(look);
    loader.Rewind();
    while (true) {
      PARE_TRY(progress.Check());
      PARE_ASSIGN(auto batch, loader.Next());
      if (!batch) return {};
      std::vector<Tensor> outputs(session.graph().outputs().size());
      if (Status ran = session.Run(batch->inputs, outputs, {.observer = &observer}); !ran)
        return Fail(data::OfSamples(ran.error(), *batch));
      PARE_TRY(ToF32(outputs));
      const int64_t count = batch->count();
      keep(*std::move(batch), std::move(outputs));
      const std::lock_guard lock(progress_mutex);
      progress.Advance(count);
    }
  }
  const Statistics& statistics() const { return statistics_; }

 private:
  void Look(const PinnedValue& value, const void* data) {
    const auto at = statistics_.find(value.name);
    if (at == statistics_.end() || value.type.dtype != DType::kF32) return;
    const int64_t count = CountOf(value.type.dims()).value();
    const auto* floats = static_cast<const float*>(data);
    at->second.histogram.Add({floats, static_cast<size_t>(count)});
    AddChannels(at->second, value, floats, count, positions_);
  }

  Statistics statistics_;
  int64_t positions_;
};

Status CheckSeen(const Statistics& statistics) {
  for (const auto& [name, s] : statistics) {
    if (!s.histogram.empty()) continue;
    return Fail(ErrorKind::kInvalid,
                s.histogram.non_finite()
                    ? Text("the value \"", name, "\" is never a finite number")
                    : Text("the value \"", name, "\" was not seen while calibrating"),
                "`pare run` on one sample shows what the float model gives");
  }
  return {};
}

// The histogram counts what is not finite apart; sums can't, and say nothing then.
void ForgetNonFinite(TensorStatistics& s) {
  const auto finite = [](double value) { return std::isfinite(value); };
  if (std::all_of(s.channel_sum.begin(), s.channel_sum.end(), finite) &&
      std::all_of(s.channel_square.begin(), s.channel_square.end(), finite))
    return;
  ForgetChannels(s);
}

template <typename T>
void AddTo(std::vector<T>& sums, const std::vector<T>& more) {
  sums.resize(std::max(sums.size(), more.size()));
  for (size_t i = 0; i < more.size(); ++i) sums[i] += more[i];
}

}  // namespace

void TensorStatistics::Merge(const TensorStatistics& other) {
  histogram.Merge(other.histogram);
  const bool empty = other.channel_sum.empty();
  if (mixed || other.mixed || (!empty && !FitsChannels(*this, other.channel_sum.size())))
    return ForgetChannels(*this);
  AddTo(channel_sum, other.channel_sum);
  AddTo(channel_square, other.channel_square);
  channel_max.resize(std::max(channel_max.size(), other.channel_max.size()));
  for (size_t i = 0; i < other.channel_max.size(); ++i)
    channel_max[i] = std::max(channel_max[i], other.channel_max[i]);
  per_channel += other.per_channel;
}

std::vector<double> TensorStatistics::ChannelMeans() const {
  return Divided(channel_sum, per_channel);
}
std::vector<double> TensorStatistics::ChannelPower() const {
  return Divided(channel_square, per_channel);
}

Result<Statistics> Collect(const graph::Graph& graph, const std::vector<graph::ValueId>& values,
                           std::span<data::Loader> loaders, const model::Context& context,
                           int64_t positions, Keep keep, Progress& progress) {
  graph::Graph pinned = graph;
  Statistics statistics;
  for (graph::ValueId id : values) {
    if (graph.is_constant(id)) continue;
    pinned.SetPinned(id, true);
    statistics[graph.value(id).name].in_rows = IsRows(graph, id);
  }
  PARE_ASSIGN(auto session, model::MakeSession(pinned, context));

  // Samples side by side, not each sample on all threads: looking at values is serial work.
  std::vector<Collector> collectors(loaders.size(), Collector(statistics, positions));
  std::mutex progress_mutex;
  PARE_TRY(SideBySide(*context.pool, loaders.size(), [&](size_t i) {
    const auto keep_of_loader = [&](data::Batch batch, std::vector<Tensor> outputs) {
      keep(i, std::move(batch), std::move(outputs));
    };
    return collectors[i].Run(*session, loaders[i], keep_of_loader, progress, progress_mutex);
  }));
  for (const Collector& collector : collectors) {
    for (const auto& [name, seen] : collector.statistics()) statistics[name].Merge(seen);
  }
  PARE_TRY(CheckSeen(statistics));
  for (auto& [name, seen] : statistics) ForgetNonFinite(seen);
  return statistics;
}

}  // namespace pare::compress
