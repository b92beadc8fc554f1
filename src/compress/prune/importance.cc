#include "compress/prune/importance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pare::compress {
namespace {

using graph::Graph;

// By position along the axis: the sum of squares.
std::vector<double> SquaresAlong(const Tensor& tensor, int axis) {
  const int64_t size = tensor.shape()[axis];
  std::vector<double> squares(static_cast<size_t>(size));
  auto floats = Cast(tensor, DType::kF32);
  if (!floats) return squares;
  int64_t inner = 1;
  for (int i = axis + 1; i < tensor.rank(); ++i) inner *= tensor.shape()[i];
  const auto values = floats->as<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t at = static_cast<size_t>(static_cast<int64_t>(i) / inner % size);
    squares[at] += double{values[i]} * double{values[i]};
  }
  return squares;
}

// The normalisation that alone reads what the node gives, or null.
const graph::Node* NormBehind(const Graph& graph, graph::NodeId id) {
  const graph::ValueId value = graph.node(id).outputs[0];
  if (value == graph::ValueId::kNone || graph.value(value).uses.size() != 1) return nullptr;
  const graph::Node& reader = graph.node(graph.value(value).uses[0].node);
  return reader.op == "BatchNormalization" && reader.inputs[0] == value ? &reader : nullptr;
}

void ScaleByNorm(const Graph& graph, const graph::Node& norm, std::vector<double>& squares) {
  const auto gamma = Cast(graph.value(norm.inputs[1]).data, DType::kF32);
  const auto variance = Cast(graph.value(norm.inputs[4]).data, DType::kF32);
  if (!gamma || !variance || gamma->count() != std::ssize(squares) ||
      variance->count() != std::ssize(squares)) {
    return;
  }
  const double epsilon = norm.attrs.f("epsilon", 1e-5f);
  for (size_t i = 0; i < squares.size(); ++i) {
    const double g = gamma->as<float>()[i], v = variance->as<float>()[i];
    squares[i] *= g * g / std::max(v + epsilon, 1e-12);
  }
}

}  // namespace

std::vector<double> SquaresOfProducer(const Graph& graph, graph::NodeId node, const Tensor& weights,
                                      int axis) {
  std::vector<double> squares = SquaresAlong(weights, axis);
  if (const graph::Node* norm = NormBehind(graph, node)) ScaleByNorm(graph, *norm, squares);
  return squares;
}

std::vector<double> ImportanceByNorm(const Graph& graph, const Channels& channels, int group) {
  const UnitGroup& of = channels.groups()[group];
  std::vector<double> importance(static_cast<size_t>(of.size));
  for (int producer : of.producers) {
    const ChannelAxis& axis = channels.axes()[producer];
    const auto squares =
        SquaresOfProducer(graph, axis.reader.node, graph.value(axis.value).data, axis.axis);
    const auto units = channels.units(producer);
    for (size_t i = 0; i < squares.size(); ++i) {
      if (units[i].group == group) importance[static_cast<size_t>(units[i].index)] += squares[i];
    }
  }
  for (double& value : importance) value = std::sqrt(value);
  return importance;
}

std::vector<int64_t> MostImportant(const std::vector<double>& importance, int64_t count) {
  std::vector<int64_t> order(importance.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
    return importance[static_cast<size_t>(a)] > importance[static_cast<size_t>(b)];
  });
  order.resize(static_cast<size_t>(std::min<int64_t>(count, std::ssize(order))));
  std::ranges::sort(order);
  return order;
}

}  // namespace pare::compress
