#include "compress/distill/separable.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/verify.h"
#include "ops/node_view.h"
#include "train/parameters.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr int64_t kFewestChannels = 16;  // with fewer, a dense convolution costs little
constexpr int kSquarings = 30;           // a power of 2^30
constexpr double kOneDirection = 1 - 1e-14;

int64_t TapsOf(const Dims& filters) {
  int64_t taps = 1;
  for (size_t i = 2; i < filters.size(); ++i) taps *= filters[i];
  return taps;
}

double SumOfSquares(std::span<const double> values) {
  return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
}

// A symmetric matrix of n rows without negative eigenvalues.
struct Gram {
  int64_t n;
  std::vector<double> values;

  double& at(int64_t i, int64_t j) { return values[i * n + j]; }
  double at(int64_t i, int64_t j) const { return values[i * n + j]; }
  double trace() const {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += at(i, i);
    return sum;
  }
  Gram Squared() const {
    Gram square{n, std::vector<double>(values.size())};
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t k = 0; k < n; ++k) {
        const double factor = at(i, k);
        for (int64_t j = 0; j < n; ++j) square.at(i, j) += factor * at(k, j);
      }
    }
    return square;
  }
};

// The eigenvector of the largest eigenvalue, of length 1. Squaring a matrix of trace 1 again and
// again leaves the projection onto it, whatever one begins with; that has trace 1, too.
std::vector<double> LeadingDirection(Gram gram) {
  const int64_t n = gram.n;
  double trace = gram.trace();
  if (!(trace > 0)) return std::vector<double>(n, 1 / std::sqrt(static_cast<double>(n)));
  for (int step = 0; step < kSquarings; ++step) {
    for (double& value : gram.values) value /= trace;
    gram = gram.Squared();
    trace = gram.trace();
    if (trace > kOneDirection) break;
  }
  int64_t largest = 0;
  for (int64_t i = 1; i < n; ++i) {
    if (gram.at(i, i) > gram.at(largest, largest)) largest = i;
  }
  const auto column = gram.values.begin() + largest * n;
  std::vector<double> direction(column, column + n);
  const double sum = std::accumulate(direction.begin(), direction.end(), 0.0);
  const double length = std::sqrt(SumOfSquares(direction));
  for (double& x : direction) x /= sum < 0 ? -length : length;
  return direction;
}

struct Pair {
  std::vector<double> depthwise, pointwise;  // [in, taps], [out, in]
};

// Of filters [out, in, taps].
Pair PairOf(std::span<const double> filters, int64_t out, int64_t in, int64_t taps) {
  Pair pair{{}, std::vector<double>(static_cast<size_t>(out * in))};
  for (int64_t c = 0; c < in; ++c) {
    const auto row = [&](int64_t o) { return filters.data() + (o * in + c) * taps; };
    Gram gram{taps, std::vector<double>(static_cast<size_t>(taps * taps))};
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t i = 0; i < taps; ++i) {
        for (int64_t j = 0; j < taps; ++j) gram.at(i, j) += row(o)[i] * row(o)[j];
      }
    }
    const std::vector<double> direction = LeadingDirection(std::move(gram));
    pair.depthwise.insert(pair.depthwise.end(), direction.begin(), direction.end());
    for (int64_t o = 0; o < out; ++o)
      pair.pointwise[o * in + c] =
          std::inner_product(row(o), row(o) + taps, direction.begin(), 0.0);
  }
  return pair;
}

bool IsDenseConvolution(const Graph& graph, const Node& node) {
  if (node.op != "Conv" || node.attrs.i("group", 1) != 1) return false;
  if (!graph.is_constant(node.inputs[1])) return false;
  const Tensor& filters = graph.value(node.inputs[1]).data;
  if (!IsFloat(filters.dtype()) || filters.rank() < 3) return false;
  const Dims& shape = filters.shape();
  return shape[0] >= kFewestChannels && shape[1] >= kFewestChannels && TapsOf(shape) > 1;
}

bool IsLayer(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  for (int i = 0; i < std::ssize(node.inputs); ++i) {
    if (!graph.is_constant(node.inputs[i])) continue;
    const bool weights = IsFloat(graph.value(node.inputs[i]).type.dtype);
    if (weights && train::FanInOf(graph, {id, i}) > 0) return true;
  }
  return false;
}

Result<SeparatedLayer> SeparateLayer(Graph& graph, NodeId id) {
  const Node node = graph.node(id);  // a copy: the graph grows
  const graph::Value& weights = graph.value(node.inputs[1]);
  SeparatedLayer layer{graph.value(node.outputs[0]).name, weights.data.shape(), 1};
  const std::string name = weights.name;
  PARE_ASSIGN(const SeparableFilters filters, SeparateFilters(weights.data));
  layer.explained = filters.explained;

  graph::Attrs attrs = node.attrs;
  attrs.set("group", layer.filters[1]);
  const ValueId depthwise =
      graph.AddConstant(graph.FreshName(name + "_depthwise"), filters.depthwise);
  const NodeId before = graph.AddNode("Conv", {node.inputs[0], depthwise},
                                      {graph.FreshName(layer.name + "_depthwise")}, attrs,
                                      node.name.empty() ? "" : node.name + "_depthwise");
  graph.SetInput(id, 0, graph.node(before).outputs[0]);
  graph.SetInput(id, 1, graph.AddConstant(graph.FreshName(name + "_pointwise"), filters.pointwise));
  graph::Attrs& rest = graph.mutable_node(id).attrs;
  for (const char* of_window : {"auto_pad", "dilations", "pads", "strides"}) rest.erase(of_window);
  rest.set("kernel_shape", graph::Ints(layer.filters.size() - 2, 1));
  return layer;
}

}  // namespace

Result<SeparableFilters> SeparateFilters(const Tensor& filters) {
  const int64_t out = filters.shape()[0], in = filters.shape()[1], taps = TapsOf(filters.shape());
  PARE_ASSIGN(const Tensor wide, Cast(filters, DType::kF64));
  const Pair pair = PairOf(wide.as<double>(), out, in, taps);
  Dims depthwise = filters.shape(), pointwise(filters.shape().size(), 1);
  depthwise[0] = in;
  depthwise[1] = 1;
  pointwise[0] = out;
  pointwise[1] = in;
  SeparableFilters result;
  PARE_ASSIGN(result.depthwise,
              Cast(Tensor::Of<double>(depthwise, pair.depthwise), filters.dtype()));
  PARE_ASSIGN(result.pointwise,
              Cast(Tensor::Of<double>(pointwise, pair.pointwise), filters.dtype()));
  // The depthwise filters are of length 1.
  const double all = SumOfSquares(wide.as<double>());
  if (all > 0) result.explained = SumOfSquares(pair.pointwise) / all;
  return result;
}

std::vector<NodeId> FindSeparable(const Graph& graph) {
  std::vector<bool> behind(graph.value_count());  // by value: a layer is before it
  std::vector<NodeId> found;
  for (NodeId id : graph.Order()) {
    const Node& node = graph.node(id);
    const bool after = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
      return input != ValueId::kNone && behind[static_cast<size_t>(input)];
    });
    if (after && IsDenseConvolution(graph, node)) found.push_back(id);
    for (ValueId output : node.outputs) {
      if (output != ValueId::kNone)
        behind[static_cast<size_t>(output)] = after || IsLayer(graph, id);
    }
  }
  return found;
}

Result<std::vector<SeparatedLayer>> SeparateLayers(Graph& graph,
                                                   const std::vector<NodeId>& layers) {
  std::vector<SeparatedLayer> separated;
  for (NodeId id : layers) {
    PARE_ASSIGN(SeparatedLayer layer, SeparateLayer(graph, id));
    separated.push_back(std::move(layer));
  }
  graph.RemoveDead();
  PARE_TRY(ops::InferTypes(graph));
  PARE_TRY(graph::Verify(graph));
  return separated;
}

}  // namespace pare::compress
