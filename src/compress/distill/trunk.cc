// All values that lie on a path from an input to the output are put in an order in which producers
// come first. A value that no edge jumps over is on every path: a path that avoids it would have
// to. Integers carry no features: paths follow floats alone (the ids of a text become floats in the
// embedding). A model has several inputs (ids, a mask), of which some join late: the one with most
// products ahead of it tells where the trunk is.
#include "compress/distill/trunk.h"

#include <algorithm>
#include <map>
#include <set>

#include "passes/bind.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

bool IsProduct(const Node& node) {
  constexpr std::string_view kProducts[] = {"Conv", "ConvTranspose", "Gemm", "MatMul",
                                            "LSTM", "GRU",           "RNN"};
  return std::find(std::begin(kProducts), std::end(kProducts), node.op) != std::end(kProducts);
}

struct Edge {
  ValueId from, to;
  graph::NodeId node;
};

// In the order of the nodes; those to floats alone.
std::vector<Edge> EdgesOf(const Graph& graph) {
  std::vector<Edge> edges;
  for (graph::NodeId id : graph.Order()) {
    const Node& node = graph.node(id);
    for (ValueId output : node.outputs) {
      if (output == ValueId::kNone || !IsFloat(graph.value(output).type.dtype)) continue;
      for (ValueId input : node.inputs) {
        if (input != ValueId::kNone && !graph.value(input).data)
          edges.push_back({input, output, id});
      }
    }
  }
  return edges;
}

struct Passed {
  ValueId value;
  int products;  // up to it
};
struct Path {
  std::vector<Passed> passed;  // by every way from the source to the output
  int products = 0;            // on all of these ways
};

Path PathFrom(const Graph& graph, const std::vector<Edge>& edges, ValueId source, ValueId target) {
  std::set<ValueId> ahead{source}, behind{target};
  for (const Edge& edge : edges) {
    if (ahead.contains(edge.from)) ahead.insert(edge.to);
  }
  for (auto edge = edges.rbegin(); edge != edges.rend(); ++edge) {
    if (behind.contains(edge->to)) behind.insert(edge->from);
  }
  const auto between = [&](ValueId id) { return ahead.contains(id) && behind.contains(id); };
  std::map<ValueId, int> place{{source, 0}};
  std::vector<ValueId> order{source};
  std::vector<int> furthest{0}, products{0};  // of the edges from it; of nodes, at each place
  graph::NodeId counted = graph::NodeId::kNone;
  for (const Edge& edge : edges) {
    if (!between(edge.from) || !between(edge.to)) continue;
    const auto [at, fresh] = place.emplace(edge.to, static_cast<int>(order.size()));
    if (fresh) {
      const bool product = edge.node != counted && IsProduct(graph.node(edge.node));
      order.push_back(edge.to);
      furthest.push_back(0);
      products.push_back(products.back() + int{product});
      counted = edge.node;
    }
    int& reach = furthest[place.at(edge.from)];
    reach = std::max(reach, at->second);
  }
  Path path;
  int reach = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (reach <= static_cast<int>(i)) path.passed.push_back({order[i], products[i]});
    reach = std::max(reach, furthest[i]);
  }
  path.products = products.back();
  return path;
}

// A picture of one pixel is its channels.
bool HasPositions(const TrunkLayer& layer) {
  const Dims extents = layer.Extents();
  return std::any_of(extents.begin(), extents.end(), [](int64_t size) { return size > 1; });
}

bool Resembles(const TrunkLayer& a, const TrunkLayer& b) {
  return a.depth == b.depth &&
         (a.Extents() == b.Extents() || (!HasPositions(a) && !HasPositions(b)));
}

}  // namespace

Dims TrunkLayer::Extents() const {
  Dims extents = shape;
  extents.erase(extents.begin() + channel_axis);
  return extents;
}

int ChannelAxis(const Graph& graph, ValueId value) {
  constexpr std::string_view kSpatial[] = {
      "Conv",          "ConvTranspose",    "MaxPool",
      "AveragePool",   "Resize",           "BatchNormalization",
      "GlobalMaxPool", "LpPool",           "InstanceNormalization",
      "Upsample",      "GlobalAveragePool"};
  constexpr std::string_view kRows[] = {"MatMul", "Gemm",      "LayerNormalization",
                                        "Gather", "Transpose", "Reshape"};
  if (graph.value(value).type.rank() != 3) return 1;
  const auto is = [](std::string_view op, auto& list) {
    return std::find(std::begin(list), std::end(list), op) != std::end(list);
  };
  while (const Node* node = graph.producer_of(value)) {
    if (is(node->op, kSpatial)) return 1;
    if (is(node->op, kRows)) break;
    const auto next = std::find_if(node->inputs.begin(), node->inputs.end(), [&](ValueId input) {
      return input != ValueId::kNone && !graph.value(input).data;
    });
    if (next == node->inputs.end()) break;
    value = *next;
  }
  return 2;
}

Result<std::vector<TrunkLayer>> TrunkOf(const Graph& graph, std::span<const Dims> shapes) {
  PARE_ASSIGN(const Graph bound, passes::BindShapes(graph, shapes));
  const auto edges = EdgesOf(bound);
  Path path;
  for (ValueId input : bound.inputs()) {
    Path other = PathFrom(bound, edges, input, bound.outputs()[0].value);
    if (path.passed.empty() || other.products > path.products) path = std::move(other);
  }
  std::vector<TrunkLayer> layers;
  for (const Passed& passed : path.passed) {
    const graph::Value& value = bound.value(passed.value);
    if (passed.products == 0 || passed.products == path.products) continue;
    if (!IsFloat(value.type.dtype) || value.type.rank() < 2) continue;
    TrunkLayer layer{.name = value.name,
                     .shape = value.type.dims(),
                     .channel_axis = ChannelAxis(bound, passed.value) - 1,
                     .depth = static_cast<double>(passed.products) / path.products};
    if (layer.shape[0] != shapes[0][0]) continue;
    layer.shape.erase(layer.shape.begin());
    if (!layers.empty() && Resembles(layers.back(), layer)) layers.pop_back();
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace pare::compress
