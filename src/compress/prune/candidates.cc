#include "compress/prune/candidates.h"

#include <algorithm>

#include "base/glob.h"

namespace pare::compress {
namespace {

constexpr int64_t kLeastChannels = 4;
constexpr int64_t kLeastPart = 8;  // one of so many stays

bool AnyMatches(const std::vector<std::string>& patterns, const std::string& name) {
  return std::ranges::any_of(
      patterns, [&](const std::string& pattern) { return MatchesGlob(pattern, name); });
}

}  // namespace

Status CheckNotQuantized(const graph::Graph& graph, std::string_view advice) {
  for (graph::NodeId id : graph.Order()) {
    const graph::Node& node = graph.node(id);
    // QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear; QLinearConv …
    if (!node.op.ends_with("uantizeLinear") && !node.op.starts_with("QLinear")) continue;
    return Fail(ErrorKind::kUnsupported, Text("the model is quantized (", node.op, ")"),
                std::string(advice));
  }
  return {};
}

bool IsLayerNamed(const graph::Graph& graph, graph::NodeId layer, graph::ValueId weights,
                  const std::vector<std::string>& patterns) {
  const graph::Node& node = graph.node(layer);
  return AnyMatches(patterns, graph.value(weights).name) || AnyMatches(patterns, node.name) ||
         AnyMatches(patterns, graph.value(node.outputs[0]).name);
}

bool IsNamed(const graph::Graph& graph, const Channels& channels, const UnitGroup& group,
             const std::vector<std::string>& patterns) {
  return std::ranges::any_of(group.producers, [&](int producer) {
    const ChannelAxis& axis = channels.axes()[producer];
    return IsLayerNamed(graph, axis.reader.node, axis.value, patterns);
  });
}

Status CheckKeepPatterns(const graph::Graph& model, const Channels& channels,
                         const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    const bool used = std::ranges::any_of(channels.groups(), [&](const UnitGroup& group) {
      return IsNamed(model, channels, group, {pattern});
    });
    if (used) continue;
    return Fail(ErrorKind::kUsage, Text("--keep ", pattern, " names no layer with channels"),
                "`pare inspect --nodes` lists the names");
  }
  return {};
}

bool HasNamedLayer(const graph::Graph& graph, const ResidualBlock& block,
                   const std::vector<std::string>& patterns) {
  return std::ranges::any_of(block.branch, [&](graph::NodeId id) {
    const graph::Node& node = graph.node(id);
    return AnyMatches(patterns, node.name) ||
           AnyMatches(patterns, graph.value(node.outputs[0]).name) ||
           std::ranges::any_of(node.inputs, [&](graph::ValueId input) {
             return graph.is_constant(input) && AnyMatches(patterns, graph.value(input).name);
           });
  });
}

int64_t ChannelsOfUnit(const Channels& channels, int group) {
  int64_t least = INT64_MAX;
  for (int producer : channels.groups()[group].producers) {
    least = std::min(least, channels.PositionsPerUnit(producer, group));
  }
  return std::max<int64_t>(1, least);
}

std::vector<int64_t> WidthsOf(int64_t size, int64_t channels, bool even) {
  const int64_t all = size * channels;
  const int64_t multiple = !even ? 1 : all >= 32 ? 8 : 4;
  const int64_t least = std::max(kLeastChannels, (all + kLeastPart - 1) / kLeastPart);
  std::vector<int64_t> widths{size};
  for (int64_t units = size - 1; units > 0 && units * channels >= least; --units) {
    if (units * channels % multiple == 0) widths.push_back(units);
  }
  return widths;
}

}  // namespace pare::compress
