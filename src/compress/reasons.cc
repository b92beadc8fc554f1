#include "compress/reasons.h"

#include <algorithm>
#include <sstream>

#include "compress/quantize/scheme.h"
#include "ops/dequantized.h"
#include "ops/op_def.h"

namespace pare::compress {
namespace {

using graph::Graph;

// A line a layer: its name, a tab, the reason.
constexpr char kReasons[] = "pare.reasons";

using Reasons = std::map<std::string, std::string>;  // by layer

Reasons ReadReasons(const std::string& lines) {
  Reasons reasons;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const size_t tab = line.find('\t');
    if (tab != line.npos) reasons[line.substr(0, tab)] = line.substr(tab + 1);
  }
  return reasons;
}

Reasons OfScheme(const Graph& graph) {
  Reasons reasons;
  for (const Layer& layer : MakeScheme(graph, {}).layers) {
    reasons[layer.name] = layer.integer
                              ? "what wrote the file left it in float, though it could be int8"
                              : layer.reason;
  }
  return reasons;
}

bool HasDequantizedWeights(const Graph& graph, const graph::Node& node) {
  const ops::OpDef* op = ops::FindOp(node.op);
  for (size_t i = 0; op && i < std::min<size_t>(node.inputs.size(), ops::kMaxSlots); ++i) {
    const graph::Node* dq = op->quant.inputs[i].role == ops::Role::kWeight
                                ? ops::DequantizerOf(graph, node.inputs[i])
                                : nullptr;
    if (dq && ops::DequantizesConstants(graph, *dq)) return true;
  }
  return false;
}

}  // namespace

bool IsQuantized(const Graph& graph) {
  static constexpr std::string_view kOps[] = {"QuantizeLinear", "DynamicQuantizeLinear",
                                              "MatMulInteger",  "ConvInteger",
                                              "QLinearConv",    "QLinearMatMul"};
  const auto order = graph.Order();
  return std::any_of(order.begin(), order.end(), [&](graph::NodeId id) {
    const graph::Node& node = graph.node(id);
    return std::ranges::count(kOps, node.op) > 0 || HasDequantizedWeights(graph, node);
  });
}

void WriteReasons(Graph& graph, const std::vector<LayerReport>& layers) {
  std::string lines;
  for (const LayerReport& layer : layers) {
    const bool fits = layer.name.find_first_of("\t\n") == layer.name.npos &&
                      layer.reason.find('\n') == layer.reason.npos;
    if (!layer.reason.empty() && fits) lines += Text(layer.name, '\t', layer.reason, '\n');
  }
  if (!lines.empty()) graph.metadata[kReasons] = lines;
}

void ExplainLayers(const Graph& a, const Graph& b, std::vector<LayerReport>& layers) {
  const auto stored = b.metadata.find(kReasons);
  const bool known = stored != b.metadata.end();
  const bool quantized = AnyInteger(layers) || IsQuantized(b);
  if (!known && (!quantized || IsQuantized(a))) return;
  const Reasons reasons = known ? ReadReasons(stored->second) : OfScheme(a);
  for (LayerReport& layer : layers) {
    if (!layer.reason.empty()) continue;
    const bool integer = !InFloat(layer);
    const auto at = reasons.find(layer.name);
    if (at != reasons.end() && (known || !integer)) layer.reason = at->second;
  }
}

}  // namespace pare::compress
