#include "compress/prune/importance.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/random.h"

namespace pare::compress {
namespace {

using graph::Graph;

constexpr std::pair<Importance, std::string_view> kImportances[] = {
    {Importance::kReconstruction, "reconstruction"},
    {Importance::kActivation, "activation"},
    {Importance::kTaylor, "taylor"},
    {Importance::kL1, "l1"},
    {Importance::kL2, "l2"},
    {Importance::kBatchNorm, "bn"},
    {Importance::kGeometricMedian, "geometric-median"},
    {Importance::kRandom, "random"},
};

// Calls look(position along the axis, place off it, value) for each element.
template <typename Look>
void ForEachAlong(const Tensor& tensor, int axis, const Look& look) {
  const auto floats = Cast(tensor, DType::kF32);
  if (!floats) return;
  int64_t inner = 1;
  for (int i = axis + 1; i < tensor.rank(); ++i) inner *= tensor.shape()[i];
  const int64_t size = tensor.shape()[axis];
  const auto values = floats->as<float>();
  for (int64_t i = 0; i < std::ssize(values); ++i)
    look(i / inner % size, i / (inner * size) * inner + i % inner, values[i]);
}

// By position along the axis.
template <typename Measure>
std::vector<double> SumsAlong(const Tensor& tensor, int axis, const Measure& measure) {
  std::vector<double> sums(static_cast<size_t>(tensor.shape()[axis]));
  ForEachAlong(tensor, axis, [&](int64_t at, int64_t, float value) { sums[at] += measure(value); });
  return sums;
}

// The normalisation that alone reads what the node gives, or null.
const graph::Node* NormBehind(const Graph& graph, graph::NodeId id) {
  const graph::ValueId value = graph.node(id).outputs[0];
  if (value == graph::ValueId::kNone || graph.value(value).uses.size() != 1) return nullptr;
  const graph::Node& reader = graph.node(graph.value(value).uses[0].node);
  return reader.op == "BatchNormalization" && reader.inputs[0] == value ? &reader : nullptr;
}

struct NormScales {
  std::vector<double> gamma;   // |gamma|
  std::vector<double> factor;  // |gamma| / σ: what weights are multiplied by
};

// Of the normalisation behind a node that makes so many channels.
std::optional<NormScales> ScalesBehind(const Graph& graph, graph::NodeId node, int64_t channels) {
  const graph::Node* norm = NormBehind(graph, node);
  if (!norm) return std::nullopt;
  const auto gamma = Cast(graph.value(norm->inputs[1]).data, DType::kF32);
  const auto variance = Cast(graph.value(norm->inputs[4]).data, DType::kF32);
  if (!gamma || !variance || gamma->count() != channels || variance->count() != channels)
    return std::nullopt;
  const double epsilon = norm->attrs.f("epsilon", 1e-5f);
  NormScales scales;
  for (int64_t i = 0; i < channels; ++i) {
    const double g = std::abs(double{gamma->as<float>()[i]}), v = variance->as<float>()[i];
    scales.gamma.push_back(g);
    scales.factor.push_back(g / std::sqrt(std::max(v + epsilon, 1e-12)));
  }
  return scales;
}

// A producer of a group, as a tensor with an axis of channels.
struct Producer {
  graph::NodeId node;
  const Tensor& weights;
  int axis;
  std::span<const Channels::Unit> units;

  std::optional<NormScales> scales(const Graph& graph) const {
    return ScalesBehind(graph, node, weights.shape()[axis]);
  }
};

std::vector<Producer> ProducersOf(const Graph& graph, const Channels& channels, int group) {
  std::vector<Producer> producers;
  for (int producer : channels.groups()[group].producers) {
    const ChannelAxis& axis = channels.axes()[producer];
    producers.push_back(
        {axis.reader.node, graph.value(axis.value).data, axis.axis, channels.units(producer)});
  }
  return producers;
}

std::vector<double> ByL1(const Graph& graph, const std::vector<Producer>& producers, int group,
                         std::vector<double> importance) {
  for (const Producer& producer : producers) {
    auto sums = SumsAlong(producer.weights, producer.axis,
                          [](float value) { return std::abs(double{value}); });
    if (const auto scales = producer.scales(graph)) {
      for (size_t i = 0; i < sums.size(); ++i) sums[i] *= scales->factor[i];
    }
    for (size_t i = 0; i < sums.size(); ++i) {
      if (producer.units[i].group == group) importance[producer.units[i].index] += sums[i];
    }
  }
  return importance;
}

std::vector<double> ByBatchNorm(const Graph& graph, const std::vector<Producer>& producers,
                                int group, std::vector<double> importance) {
  bool any = false;
  for (const Producer& producer : producers) {
    const auto scales = producer.scales(graph);
    if (!scales) continue;
    any = true;
    for (size_t i = 0; i < producer.units.size(); ++i) {
      if (producer.units[i].group == group) importance[producer.units[i].index] += scales->gamma[i];
    }
  }
  return any ? importance : std::vector<double>();
}

// Adds the squared distances of the units' weights in one producer.
void AddDistances(const Graph& graph, const Producer& producer, int group, int64_t units,
                  std::vector<double>& squares) {
  const int64_t size = producer.weights.shape()[producer.axis];
  const int64_t off = producer.weights.count() / size;
  std::vector<float> rows(static_cast<size_t>(size * off));  // [position, off the axis]
  const auto scales = producer.scales(graph);
  ForEachAlong(producer.weights, producer.axis, [&](int64_t at, int64_t place, float value) {
    rows[at * off + place] = scales ? value * static_cast<float>(scales->factor[at]) : value;
  });
  std::vector<std::vector<int64_t>> positions(static_cast<size_t>(units));
  for (int64_t i = 0; i < size; ++i) {
    if (producer.units[i].group == group) positions[producer.units[i].index].push_back(i);
  }
  for (int64_t a = 0; a < units; ++a) {
    for (int64_t b = 0; b < a; ++b) {
      double sum = 0;
      for (size_t p = 0; p < std::min(positions[a].size(), positions[b].size()); ++p) {
        const float *x = &rows[positions[a][p] * off], *y = &rows[positions[b][p] * off];
        for (int64_t i = 0; i < off; ++i) sum += double{x[i] - y[i]} * (x[i] - y[i]);
      }
      squares[a * units + b] += sum;
    }
  }
}

std::vector<double> ByGeometricMedian(const Graph& graph, const std::vector<Producer>& producers,
                                      int group, std::vector<double> importance) {
  const int64_t units = std::ssize(importance);
  std::vector<double> squares(static_cast<size_t>(units * units));
  for (const Producer& producer : producers) AddDistances(graph, producer, group, units, squares);
  for (int64_t a = 0; a < units; ++a) {
    for (int64_t b = 0; b < a; ++b) {
      const double distance = std::sqrt(squares[a * units + b]);
      importance[a] += distance;
      importance[b] += distance;
    }
  }
  return importance;
}

}  // namespace

Result<Importance> ParseImportance(std::string_view name) {
  std::string known;
  for (const auto& [importance, text] : kImportances) {
    if (text == name) return importance;
    known += Text(known.empty() ? "" : ", ", text);
  }
  return Fail(ErrorKind::kUsage, Text("there is no importance \"", name, '"'),
              known + " are there");
}

std::string_view ImportanceName(Importance importance) {
  for (const auto& [known, text] : kImportances) {
    if (known == importance) return text;
  }
  return "";
}

std::vector<double> ImportanceByWeights(const Graph& graph, const Channels& channels, int group,
                                        Importance importance, uint64_t seed) {
  std::vector<double> zeros(static_cast<size_t>(channels.groups()[group].size));
  const auto producers = ProducersOf(graph, channels, group);
  switch (importance) {
    case Importance::kL1:
      return ByL1(graph, producers, group, std::move(zeros));
    case Importance::kBatchNorm:
      return ByBatchNorm(graph, producers, group, std::move(zeros));
    case Importance::kGeometricMedian:
      return ByGeometricMedian(graph, producers, group, std::move(zeros));
    case Importance::kRandom: {
      Random random(seed, static_cast<uint64_t>(group));
      for (double& value : zeros) value = 1e-3 + random.Uniform();
      return zeros;
    }
    default:
      return ImportanceByNorm(graph, channels, group);
  }
}

std::vector<double> SquaresOfProducer(const Graph& graph, graph::NodeId node, const Tensor& weights,
                                      int axis) {
  auto squares =
      SumsAlong(weights, axis, [](float value) { return double{value} * double{value}; });
  if (const auto scales = ScalesBehind(graph, node, std::ssize(squares))) {
    for (size_t i = 0; i < squares.size(); ++i) squares[i] *= scales->factor[i] * scales->factor[i];
  }
  return squares;
}

std::vector<double> ImportanceByNorm(const Graph& graph, const Channels& channels, int group) {
  const UnitGroup& of = channels.groups()[group];
  std::vector<double> importance(static_cast<size_t>(of.size));
  for (const Producer& producer : ProducersOf(graph, channels, group)) {
    const auto squares = SquaresOfProducer(graph, producer.node, producer.weights, producer.axis);
    for (size_t i = 0; i < squares.size(); ++i) {
      if (producer.units[i].group == group) importance[producer.units[i].index] += squares[i];
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
