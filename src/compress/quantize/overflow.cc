#include "compress/quantize/overflow.h"

#include <algorithm>
#include <cmath>

#include "compress/guarded.h"
#include "kernels/qsaturating/qsaturating.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr int kPositions = 16;  // of each sample's output
constexpr double kHighest = 200;

struct Sums {
  double signal = 0, noise = 0;
};

// One weighted layer, as integers.
struct IntegerLayer {
  NodeId node;
  bool product = false;  // Gemm or MatMul
  float scale = 1;       // of its input
  int zero_point = 0;
  Dims shape;                   // of the weights, [out, in/group, kh, kw]; a product's [out, in]
  std::vector<int8_t> weights;  // [out, taps, in/group]: neighbours in this order are paired
  int64_t taps = 1, groups = 1;
  std::vector<int64_t> kernel, strides, pads, dilations;
};

// Both accumulators of one output: the inputs are in the order of the weights.
void AddDot(Sums& sums, const uint8_t* x, const int8_t* w, int64_t count,
            int64_t weight_sum_times_zero) {
  int64_t exact = 0, saturated = 0;
  for (int64_t i = 0; i + 1 < count; i += 2) {
    exact += x[i] * w[i] + x[i + 1] * w[i + 1];
    saturated += kernels::SaturatingPair(x[i], w[i], x[i + 1], w[i + 1]);
  }
  if (count % 2 != 0) {  // fits alone
    exact += x[count - 1] * w[count - 1];
    saturated += x[count - 1] * w[count - 1];
  }
  const auto signal = static_cast<double>(exact - weight_sum_times_zero);
  const auto noise = static_cast<double>(exact - saturated);
  sums.signal += signal * signal;
  sums.noise += noise * noise;
}

Result<IntegerLayer> ReadLayer(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const Node& x = *graph.producer_of(node.inputs[0]);
  const Node& w = *graph.producer_of(node.inputs[1]);
  IntegerLayer layer{.node = id,
                     .product = node.op != "Conv",
                     .shape = {},
                     .weights = {},
                     .kernel = {},
                     .strides = {},
                     .pads = {},
                     .dilations = {}};
  layer.scale = graph.value(x.inputs[1]).data.as<float>()[0];
  layer.zero_point = graph.value(x.inputs[2]).data.as<uint8_t>()[0];
  const Tensor& weights = graph.value(w.inputs[0]).data;
  const auto from = weights.as<int8_t>();
  layer.weights.resize(from.size());
  if (layer.product) {
    const int axis = WeightAxis(node, weights.rank());
    const int64_t out = weights.shape()[axis], in = weights.shape()[1 - axis];
    layer.shape = {out, in};
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t i = 0; i < in; ++i)
        layer.weights[o * in + i] = from[axis == 0 ? o * in + i : i * out + o];
    }
    return layer;
  }
  layer.shape = weights.shape();
  layer.groups = node.attrs.i("group", 1);
  layer.kernel.assign(layer.shape.begin() + 2, layer.shape.end());
  const auto spatial = layer.kernel.size();
  layer.strides = node.attrs.ints("strides", graph::Ints(spatial, 1));
  layer.dilations = node.attrs.ints("dilations", graph::Ints(spatial, 1));
  layer.pads = node.attrs.ints("pads", graph::Ints(2 * spatial, 0));
  const int64_t out = layer.shape[0], in = layer.shape[1];
  layer.taps = weights.count() / (out * in);
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) {
      for (int64_t t = 0; t < layer.taps; ++t) {
        layer.weights[(o * layer.taps + t) * in + i] = from[(o * in + i) * layer.taps + t];
      }
    }
  }
  return layer;
}

uint8_t Quantize(const IntegerLayer& layer, float value) {
  return static_cast<uint8_t>(
      std::clamp(std::nearbyint(value / layer.scale) + layer.zero_point, 0.0f, 255.0f));
}

void AddOutputs(Sums& sums, const IntegerLayer& layer, const std::vector<uint8_t>& patch,
                int64_t group) {
  const int64_t out = layer.shape[0] / layer.groups;
  const auto count = static_cast<int64_t>(patch.size());
  for (int64_t o = group * out; o < (group + 1) * out; ++o) {
    const int8_t* w = layer.weights.data() + o * count;
    int64_t weight_sum = 0;
    for (int64_t i = 0; i < count; ++i) weight_sum += w[i];
    AddDot(sums, patch.data(), w, count, weight_sum * layer.zero_point);
  }
}

void AddProduct(Sums& sums, const IntegerLayer& layer, const float* data, int64_t count) {
  const int64_t in = layer.shape[1];
  const int64_t rows = count / in;
  std::vector<uint8_t> patch(in);
  for (int64_t row = 0; row < rows; row += std::max<int64_t>(rows / kPositions, 1)) {
    for (int64_t i = 0; i < in; ++i) patch[i] = Quantize(layer, data[row * in + i]);
    AddOutputs(sums, layer, patch, 0);
  }
}

// Positions of a 1-D or 2-D convolution's first sample, spread evenly.
void AddConvolution(Sums& sums, const IntegerLayer& layer, const runtime::PinnedValue& value,
                    const float* data) {
  Dims dims = value.type.dims();  // to [N, H, W, C] or [N, C, H, W], H = 1 in one dimension
  std::vector<int64_t> kernel = layer.kernel, strides = layer.strides, dilations = layer.dilations;
  std::vector<int64_t> begins(layer.pads.begin(),
                              layer.pads.begin() + static_cast<int64_t>(kernel.size()));
  if (kernel.size() == 1) {
    dims.insert(value.channels_last ? dims.begin() + 1 : dims.end() - 1, 1);
    for (auto* field : {&kernel, &strides, &dilations}) field->insert(field->begin(), 1);
    begins.insert(begins.begin(), 0);
  }
  if (dims.size() != 4 || kernel.size() != 2) return;
  const bool last = value.channels_last;
  const int64_t height = dims[last ? 1 : 2], width = dims[last ? 2 : 3],
                channels = dims[last ? 3 : 1];
  const int64_t out_h = std::max<int64_t>(height / strides[0], 1),
                out_w = std::max<int64_t>(width / strides[1], 1);
  const int64_t in = layer.shape[1];
  const auto at = [&](int64_t y, int64_t x, int64_t c) {
    if (y < 0 || x < 0 || y >= height || x >= width) return static_cast<uint8_t>(layer.zero_point);
    return Quantize(layer,
                    data[last ? (y * width + x) * channels + c : (c * height + y) * width + x]);
  };
  std::vector<uint8_t> patch(layer.taps * in);
  const int64_t step = std::max<int64_t>(out_h * out_w / kPositions, 1) | 1;
  for (int64_t position = step / 2; position < out_h * out_w; position += step) {
    const int64_t y0 = position / out_w * strides[0] - begins[0],
                  x0 = position % out_w * strides[1] - begins[1];
    for (int64_t group = 0; group < layer.groups; ++group) {
      for (int64_t t = 0; t < layer.taps; ++t) {
        const int64_t y = y0 + t / kernel[1] * dilations[0], x = x0 + t % kernel[1] * dilations[1];
        for (int64_t i = 0; i < in; ++i) patch[t * in + i] = at(y, x, group * in + i);
      }
      AddOutputs(sums, layer, patch, group);
    }
  }
}

using IntegerLayers = std::multimap<std::string, IntegerLayer>;  // by the value that they read

Result<std::map<NodeId, Sums>> SumsOver(data::Loader& loader, const IntegerLayers& layers,
                                        runtime::Session& session, const Progress& progress) {
  std::map<NodeId, Sums> sums;
  const auto look = [&](const runtime::PinnedValue& value, const void* data) {
    if (value.type.dtype != DType::kF32) return;
    const auto* floats = static_cast<const float*>(data);
    const auto [begin, end] = layers.equal_range(value.name);
    for (auto at = begin; at != end; ++at) {
      Sums& sum = sums[at->second.node];
      if (at->second.product) {
        AddProduct(sum, at->second, floats, CountOf(value.type.dims()).value());
      } else {
        AddConvolution(sum, at->second, value, floats);
      }
    }
  };
  const runtime::Observer observer(look);
  loader.Rewind();
  std::vector<Tensor> outputs(session.graph().outputs().size());
  while (true) {
    PARE_TRY(progress.Check());
    PARE_ASSIGN(const auto batch, loader.Next());
    if (!batch) return sums;
    PARE_TRY(session.Run(batch->inputs, outputs, {.observer = &observer}));
  }
}

}  // namespace

Result<OverflowSafe> ParseOverflowSafe(std::string_view name) {
  if (name == "auto") return OverflowSafe::kAuto;
  if (name == "always") return OverflowSafe::kAlways;
  if (name == "never") return OverflowSafe::kNever;
  return Fail(ErrorKind::kUsage, Text("\"", name, "\" is none of auto, always and never"));
}

Result<std::map<NodeId, double>> SaturationSnr(const Graph& quantized, const Scheme& scheme,
                                               std::span<data::Loader> loaders,
                                               const model::Context& context, Progress& progress) {
  Graph pinned = quantized;
  IntegerLayers layers;
  for (const Layer& layer : scheme.layers) {
    if (!layer.integer || !layer.weighted) continue;
    PARE_ASSIGN(IntegerLayer integer, ReadLayer(quantized, layer.node));
    const ValueId input = quantized.node(layer.node).inputs[0];
    pinned.SetPinned(input, true);
    layers.emplace(quantized.value(input).name, std::move(integer));
  }
  PARE_ASSIGN(auto session, model::MakeSession(pinned, context, {.switches = "-QdqToInteger"}));
  progress.Stage("looking for saturation", 0);
  PARE_ASSIGN(const auto parts, SideBySide(*context.pool, loaders.size(), [&](size_t i) {
                return SumsOver(loaders[i], layers, *session, progress);
              }));
  std::map<NodeId, Sums> sums;
  for (const auto& part : parts) {
    for (const auto& [node, sum] : part) {
      sums[node].signal += sum.signal;
      sums[node].noise += sum.noise;
    }
  }
  std::map<NodeId, double> snr;
  for (const auto& [node, sum] : sums) {
    snr[node] = sum.noise > 0
                    ? std::min(kHighest, 10 * std::log10(std::max(sum.signal, 1e-30) / sum.noise))
                    : kHighest;
  }
  return snr;
}

}  // namespace pare::compress
