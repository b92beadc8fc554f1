#include "compress/prune/linear.h"

#include <algorithm>
#include <cstring>

#include "base/random.h"
#include "ops/window.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

bool IsStoredF32(const Graph& graph, const Node& node, size_t input) {
  if (!node.has_input(input)) return false;
  const graph::Value& value = graph.value(node.inputs[input]);
  return value.data && value.data.dtype() == DType::kF32;
}

std::optional<LinearLayer> FindConv(const Graph& graph, graph::NodeId id) {
  const Node& node = graph.node(id);
  const Dims& shape = graph.value(node.inputs[1]).data.shape();
  const int64_t groups = node.attrs.i("group", 1);
  if (shape.size() < 3 || shape.size() > 5 || groups < 1 || shape[0] % groups != 0) return {};
  int64_t columns = 1;
  for (size_t i = 1; i < shape.size(); ++i) columns *= shape[i];
  return LinearLayer{.node = id,
                     .x = node.inputs[0],
                     .y = node.outputs[0],
                     .groups = groups,
                     .columns = columns,
                     .outputs = shape[0] / groups,
                     .window = true,
                     .outputs_first = true};
}

std::optional<LinearLayer> FindProduct(const Graph& graph, graph::NodeId id) {
  const Node& node = graph.node(id);
  const Dims& shape = graph.value(node.inputs[1]).data.shape();
  if (shape.size() != 2) return {};
  const bool transposed = node.op == "Gemm" && node.attrs.i("transB", 0) != 0;
  if (node.op == "Gemm") {
    const bool plain = node.attrs.i("transA", 0) == 0 && node.attrs.f("alpha", 1) == 1 &&
                       node.attrs.f("beta", 1) == 1;
    if (!plain) return {};
    if (node.has_input(2) &&
        (!IsStoredF32(graph, node, 2) ||
         graph.value(node.inputs[2]).data.count() != shape[transposed ? 0 : 1]))
      return {};
  }
  return LinearLayer{.node = id,
                     .x = node.inputs[0],
                     .y = node.outputs[0],
                     .columns = shape[transposed ? 1 : 0],
                     .outputs = shape[transposed ? 0 : 1],
                     .outputs_first = transposed};
}

// The sum with a constant row that alone reads a MatMul; kNone where there is none.
graph::Use SumBehind(const Graph& graph, const LinearLayer& layer) {
  const graph::Value& y = graph.value(layer.y);
  if (y.uses.size() != 1 || graph.is_visible(layer.y)) return {graph::NodeId::kNone, -1};
  const graph::Use use = y.uses[0];
  const Node& sum = graph.node(use.node);
  const int other = 1 - use.input;
  if (sum.op != "Add" || !IsStoredF32(graph, sum, static_cast<size_t>(other)))
    return {graph::NodeId::kNone, -1};
  const Tensor& data = graph.value(sum.inputs[other]).data;
  const bool is_row = data.count() == layer.outputs && data.shape().back() == layer.outputs;
  return is_row ? graph::Use{use.node, other} : graph::Use{graph::NodeId::kNone, -1};
}

graph::Use BiasUse(const Graph& graph, const LinearLayer& layer) {
  return graph.node(layer.node).op == "MatMul" ? SumBehind(graph, layer)
                                               : graph::Use{layer.node, 2};
}

// A constant of this reader alone.
void SetOwnConstant(Graph& graph, graph::Use use, std::string_view stem, Tensor data) {
  while (std::ssize(graph.node(use.node).inputs) <= use.input)
    graph.AppendInput(use.node, ValueId::kNone);
  const ValueId old = graph.node(use.node).inputs[use.input];
  if (old != ValueId::kNone && graph.value(old).uses.size() == 1) {
    graph.SetConstant(old, std::move(data));
    return;
  }
  const std::string name = old == ValueId::kNone ? std::string(stem) : graph.value(old).name;
  graph.SetInput(use.node, use.input, graph.AddConstant(graph.FreshName(name), std::move(data)));
}

// Evenly over all `places` of a sample, at another place of each stretch in each sample.
std::vector<int64_t> PlacesOf(const RowChoice& choice, int64_t sample, int64_t places) {
  const int64_t count = std::min(choice.per_sample, places);
  Random random(0, static_cast<uint64_t>(choice.first + sample));
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = i * places / count, end = (i + 1) * places / count;
    chosen.push_back(begin + random.Below(end - begin));
  }
  return chosen;
}

// `row(sample's first outer index · places …)`: calls row(outer, place) for all that are chosen;
// `outer` parts of the first dimension belong to a sample.
template <typename Row>
void ForEachRow(const RowChoice& choice, int64_t outer, int64_t places, const Row& row) {
  for (int64_t s = 0; s < choice.valid; ++s) {
    for (int64_t at : PlacesOf(choice, s, outer * places))
      row(s * outer + at / places, at % places);
  }
}

int64_t RowCount(const RowChoice& choice, int64_t places) {
  return choice.valid * std::min(choice.per_sample, places);
}

// Copies the window at one place of the output: channels [first, first + channels) × taps.
void CopyWindow(const ops::Image& image, const ops::Window& window, const float* x,
                int64_t channels, const ops::Spatial& at, float* to) {
  ops::Spatial tap{};
  const int64_t taps = window.taps();
  for (int64_t t = 0; t < taps; ++t) {
    int64_t rest = t, offset = 0;
    bool inside = true;
    for (int d = ops::kMaxSpatial - 1; d >= 0; --d) {
      tap[d] = rest % window.kernel[d];
      rest /= window.kernel[d];
      const int64_t i =
          at[d] * window.stride[d] - window.pad_begin[d] + tap[d] * window.dilation[d];
      inside = inside && i >= 0 && i < image.size[d];
      offset += i * image.stride[d];
    }
    for (int64_t c = 0; c < channels; ++c)
      to[c * taps + t] = inside ? x[c * image.channel_stride + offset] : 0;
  }
}

Result<Tensor> WindowRows(const Graph& graph, const LinearLayer& layer, int64_t group,
                          const Tensor& x, const RowChoice& choice) {
  const Node& node = graph.node(layer.node);
  const Dims& weights = graph.value(node.inputs[layer.weights]).data.shape();
  const graph::Ints kernel(weights.begin() + 2, weights.end());
  PARE_ASSIGN(const ops::WindowAttrs attrs,
              ops::ReadWindow(node.attrs, static_cast<int>(kernel.size()), kernel));
  const ops::Image image = ops::ImageOf(x.shape(), {});
  const ops::Window window = ops::ResolveWindow(attrs, image);
  ops::Spatial size{1, 1, 1};
  for (int i = 0; i < std::ssize(kernel); ++i) {
    PARE_ASSIGN(const graph::Dim extent, ops::WindowExtent(attrs, i, x.shape()[i + 2]));
    size[ops::kMaxSpatial - kernel.size() + i] = extent.size();
  }
  const int64_t places = size[0] * size[1] * size[2], outer = image.batch / choice.samples;
  const int64_t channels = weights[1];
  PARE_ASSIGN(Tensor rows,
              Tensor::Make(DType::kF32, {RowCount(choice, outer * places), layer.columns}));
  float* to = rows.mutable_as<float>().data();
  ForEachRow(choice, outer, places, [&](int64_t n, int64_t place) {
    const ops::Spatial at{place / (size[1] * size[2]), place / size[2] % size[1], place % size[2]};
    const float* from =
        x.as<float>().data() + n * image.batch_stride + group * channels * image.channel_stride;
    CopyWindow(image, window, from, channels, at, to);
    to += layer.columns;
  });
  return rows;
}

// Of x [outer, …, columns].
Result<Tensor> MatrixRows(const Tensor& x, int64_t columns, const RowChoice& choice) {
  const int64_t places = x.count() / columns / choice.samples;
  PARE_ASSIGN(Tensor rows, Tensor::Make(DType::kF32, {RowCount(choice, places), columns}));
  float* to = rows.mutable_as<float>().data();
  ForEachRow(choice, 1, places, [&](int64_t sample, int64_t place) {
    std::memcpy(to, x.as<float>().data() + (sample * places + place) * columns,
                static_cast<size_t>(columns) * sizeof(float));
    to += columns;
  });
  return rows;
}

bool Batched(const Tensor& tensor, const RowChoice& choice) {
  return tensor.dtype() == DType::kF32 && tensor.rank() > 0 && tensor.count() > 0 &&
         tensor.shape()[0] % choice.samples == 0;
}

}  // namespace

std::optional<LinearLayer> FindLinear(const Graph& graph, graph::NodeId id) {
  const Node& node = graph.node(id);
  const bool known = node.op == "Conv" || node.op == "Gemm" || node.op == "MatMul";
  if (!known || !IsStoredF32(graph, node, 1) || !node.has_input(0)) return std::nullopt;
  if (graph.value(node.inputs[0]).data) return std::nullopt;
  return node.op == "Conv" ? FindConv(graph, id) : FindProduct(graph, id);
}

std::vector<double> WeightMatrix(const Graph& graph, const LinearLayer& layer, int64_t group) {
  const auto stored = graph.value(graph.node(layer.node).inputs[layer.weights]).data.as<float>();
  const int64_t n = layer.columns, m = layer.outputs;
  std::vector<double> matrix(static_cast<size_t>(n * m));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < m; ++j) {
      matrix[i * m + j] = stored[layer.outputs_first ? (group * m + j) * n + i : i * m + j];
    }
  }
  return matrix;
}

bool HasBias(const Graph& graph, const LinearLayer& layer) {
  return BiasUse(graph, layer).node != graph::NodeId::kNone;
}

std::vector<double> BiasOf(const Graph& graph, const LinearLayer& layer) {
  std::vector<double> bias(static_cast<size_t>(layer.groups * layer.outputs));
  const Node& node = graph.node(layer.node);
  if (node.op == "MatMul" || !IsStoredF32(graph, node, 2)) return bias;
  std::ranges::copy(graph.value(node.inputs[2]).data.as<float>(), bias.begin());
  return bias;
}

Status SetLinear(Graph& graph, const LinearLayer& layer, std::span<const double> weights,
                 std::span<const double> bias) {
  const Node& node = graph.node(layer.node);
  const int64_t n = layer.columns, m = layer.outputs;
  PARE_ASSIGN(Tensor w,
              Tensor::Make(DType::kF32, graph.value(node.inputs[layer.weights]).data.shape()));
  const auto to = w.mutable_as<float>();
  for (int64_t g = 0; g < layer.groups; ++g) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < m; ++j) {
        to[layer.outputs_first ? (g * m + j) * n + i : i * m + j] =
            static_cast<float>(weights[(g * n + i) * m + j]);
      }
    }
  }
  const std::string stem = graph.value(layer.y).name;
  SetOwnConstant(graph, {layer.node, layer.weights}, stem + "_weights", std::move(w));
  if (bias.empty()) return {};
  const graph::Use use = BiasUse(graph, layer);
  PARE_ASSIGN(Tensor b, Tensor::Make(DType::kF32, {std::ssize(bias)}));
  std::ranges::transform(bias, b.mutable_as<float>().begin(),
                         [](double value) { return static_cast<float>(value); });
  if (use.node != layer.node) {
    const Tensor& added = graph.value(graph.node(use.node).inputs[use.input]).data;
    for (int64_t i = 0; i < b.count(); ++i) b.mutable_as<float>()[i] += added.as<float>()[i];
    b = b.Reshaped(added.shape());
  }
  SetOwnConstant(graph, use, stem + "_bias", std::move(b));
  return {};
}

Result<Tensor> RowsOfX(const Graph& graph, const LinearLayer& layer, int64_t group, const Tensor& x,
                       const RowChoice& choice) {
  if (!Batched(x, choice)) return Tensor();
  return layer.window ? WindowRows(graph, layer, group, x, choice)
                      : MatrixRows(x, layer.columns, choice);
}

Result<Tensor> RowsOfY(const LinearLayer& layer, const Tensor& y, const RowChoice& choice) {
  if (!Batched(y, choice)) return Tensor();
  const int64_t width = layer.groups * layer.outputs;
  if (!layer.window) return MatrixRows(y, width, choice);
  const int64_t outer = y.shape()[0] / choice.samples;
  const int64_t places = y.count() / (y.shape()[0] * width);
  PARE_ASSIGN(Tensor rows, Tensor::Make(DType::kF32, {RowCount(choice, outer * places), width}));
  float* to = rows.mutable_as<float>().data();
  ForEachRow(choice, outer, places, [&](int64_t n, int64_t place) {
    const float* from = y.as<float>().data() + n * width * places + place;
    for (int64_t c = 0; c < width; ++c) *to++ = from[c * places];
  });
  return rows;
}

}  // namespace pare::compress
