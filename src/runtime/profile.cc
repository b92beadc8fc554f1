#include "runtime/profile.h"

#include <algorithm>

#include "base/json_quote.h"

namespace pare::runtime {
namespace {

std::string KernelOf(const PlanNode& node) {
  std::string text;
  for (const ops::Step& step : node.steps) {
    if (step.kernel.empty() || text.ends_with(step.kernel)) continue;
    text += Text(text.empty() ? "" : "+", step.kernel);
  }
  return text;
}

}  // namespace

void Profile::Add(const Plan& plan, std::span<const int64_t> node_ns) {
  if (nodes_.empty()) {
    for (const PlanNode& node : plan.nodes)
      nodes_.push_back({node.name, node.op, KernelOf(node), {}});
  }
  PARE_DCHECK(node_ns.size() == nodes_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) nodes_[i].ns.push_back(node_ns[i]);
  ++runs_;
}

std::vector<LayerTime> Profile::Layers() const {
  std::vector<LayerTime> layers;
  double total = 0;
  for (const Node& node : nodes_) {
    if (node.kernel.empty()) continue;
    std::vector<int64_t> ns = node.ns;
    std::sort(ns.begin(), ns.end());
    const double median = static_cast<double>(ns[ns.size() / 2]) * 1e-6;
    layers.push_back(
        {node.name, node.op, node.kernel, median, static_cast<double>(ns.front()) * 1e-6});
    total += median;
  }
  for (LayerTime& layer : layers) layer.share = total > 0 ? layer.median_ms / total : 0;
  return layers;
}

std::string Profile::ChromeTrace() const {
  std::string trace = "{\"traceEvents\":[";
  double now_us = 0;
  for (const Node& node : nodes_) {
    if (node.ns.empty()) continue;
    const double us = static_cast<double>(node.ns.back()) * 1e-3;
    trace += Text(now_us > 0 ? ",\n" : "\n",
                  "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"name\":", JsonQuoted(node.name),
                  ",\"cat\":", JsonQuoted(node.op), ",\"ts\":", now_us, ",\"dur\":", us,
                  ",\"args\":{\"kernel\":", JsonQuoted(node.kernel), "}}");
    now_us += us;
  }
  return trace + "\n]}\n";
}

}  // namespace pare::runtime
