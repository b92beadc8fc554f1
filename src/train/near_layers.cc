#include "train/near_layers.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/edit_distance.h"

namespace pare::train {
namespace {

constexpr size_t kNamed = 3;

// A part of a name is nearer than a slip of it; nothing where it is neither.
std::vector<std::string> NearNames(const graph::Graph& graph, std::string_view name) {
  std::vector<std::pair<size_t, std::string>> near;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const graph::Value& value = graph.value(static_cast<graph::ValueId>(i));
    if (value.kind != graph::ValueKind::kResult) continue;
    if (graph.FindValue(value.name) != static_cast<graph::ValueId>(i)) continue;
    if (!name.empty() && value.name.find(name) != std::string::npos) {
      near.emplace_back(value.name.size(), value.name);
    } else if (const size_t distance = EditDistance(name, value.name);
               distance <= std::max<size_t>(name.size() / 3, 1)) {
      near.emplace_back((1u << 20) + distance, value.name);
    }
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (size_t i = 0; i < near.size() && i < kNamed; ++i) names.push_back(near[i].second);
  return names;
}

}  // namespace

std::string LayerAdvice(const graph::Graph& graph, std::string_view name) {
  std::string near;
  for (const std::string& each : NearNames(graph, name))
    near += Text(near.empty() ? "near are \"" : ", \"", each, '"');
  return Text(near, near.empty() ? "" : "; ",
              "`pare profile` lists the layers by the names of their outputs");
}

}  // namespace pare::train
