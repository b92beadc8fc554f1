#include "compress/layers.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "compress/inputs.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

// Names in the metadata, a line each.
constexpr char kScaledLayers[] = "pare.equalized";

struct Sums {
  double aa = 0, bb = 0, ab = 0;
};
// Of a layer: one for all its values, or where channels were scaled one for each channel.
using LayerSums = std::vector<Sums>;

struct View {
  std::span<const float> values;
  const Dims& shape;
  bool channels_last;
};

struct Kept {
  std::vector<float> values;
  Dims shape;
  bool channels_last = false;
};

// A session in which the layers' values are pinned.
class Viewer {
 public:
  static Result<Viewer> Make(const Graph& graph, const std::vector<std::string>& names,
                             const model::Context& context) {
    Viewer viewer;
    Graph pinned = graph;
    for (const std::string& name : names) {
      ValueId id = graph.FindValue(name);
      if (id == ValueId::kNone || graph.is_constant(id)) continue;
      const Node* producer = graph.producer_of(id);
      id = producer && IsOutputCast(graph, *producer) ? producer->inputs[0] : SeenValue(graph, id);
      pinned.SetPinned(id, true);
      viewer.layer_of_[graph.value(id).name] = name;
    }
    // In integers a value would be visible in its own scale only: the float form of Q/DQ shows the
    // same.
    PARE_ASSIGN(viewer.session_,
                model::MakeSession(pinned, context, {.switches = "-QdqToInteger"}));
    return viewer;
  }

  // Shows each layer's values while they are there.
  using Show = FunctionRef<void(const std::string& layer, const View& view)>;
  Status Run(std::span<const Tensor> inputs, Show show) {
    const auto look = [&](const runtime::PinnedValue& value, const void* data) {
      const auto layer = layer_of_.find(value.name);
      if (layer == layer_of_.end() || value.type.dtype != DType::kF32) return;
      const Dims shape = value.type.dims();
      const auto count = static_cast<size_t>(CountOf(shape).value());
      show(layer->second, {{static_cast<const float*>(data), count}, shape, value.channels_last});
    };
    const runtime::Observer observer(look);
    std::vector<Tensor> outputs(session_->graph().outputs().size());
    return session_->Run(inputs, outputs, {.observer = &observer});
  }

 private:
  std::unique_ptr<runtime::Session> session_;
  std::map<std::string, std::string> layer_of_;  // by pinned value
};

void AddSums(LayerSums& sums, const Kept& a, const View& b, bool by_channel) {
  if (a.shape != b.shape || a.channels_last != b.channels_last) return;
  const size_t rank = a.shape.size();
  size_t channels = 1, inner = a.values.size();
  if (by_channel && rank >= 2) {
    const bool last = a.channels_last || rank == 2;
    channels = static_cast<size_t>(a.shape[last ? rank - 1 : 1]);
    inner = 1;
    for (size_t i = 2; i < rank && !last; ++i) inner *= static_cast<size_t>(a.shape[i]);
  }
  sums.resize(channels);
  for (size_t i = 0; i < a.values.size(); ++i) {
    const double x = a.values[i], y = b.values[i];
    Sums& sum = sums[i / inner % channels];
    sum.aa += x * x;
    sum.bb += y * y;
    sum.ab += x * y;
  }
}

// A channel that was scaled is compared after the factor that fits it best is taken out:
// min over f of Σ (x − f·y)² is Σx² − (Σxy)² / Σy².
LayerFidelity FidelityOf(const LayerSums& sums) {
  constexpr double kHighest = 200;  // dB; equal to the last bit
  const bool scaled = sums.size() > 1;
  double aa = 0, bb = 0, ab = 0, difference = 0;
  for (const Sums& s : sums) {
    const double factor = scaled && s.bb > 0 ? s.ab / s.bb : 1;
    aa += s.aa;
    bb += s.bb * factor * factor;
    ab += s.ab * factor;
    difference += std::max(s.aa - 2 * factor * s.ab + factor * factor * s.bb, 0.0);
  }
  LayerFidelity fidelity;
  fidelity.snr_db = difference > 0
                        ? std::min(kHighest, 10 * std::log10(std::max(aa, 1e-30) / difference))
                        : kHighest;
  fidelity.cosine = aa == 0 && bb == 0 ? 1 : ab / std::max(std::sqrt(aa * bb), 1e-30);
  return fidelity;
}

// Where values are NaN or infinite there is nothing to compare.
bool Seen(const LayerSums& sums) {
  const bool finite = std::all_of(sums.begin(), sums.end(), [](const Sums& sum) {
    return std::isfinite(sum.aa) && std::isfinite(sum.bb);
  });
  return finite && std::any_of(sums.begin(), sums.end(),
                               [](const Sums& sum) { return sum.aa > 0 || sum.bb > 0; });
}

}  // namespace

void WriteScaledLayers(Graph& graph, std::span<const std::string> names) {
  std::string lines;
  for (const std::string& name : names) {
    if (name.find('\n') != std::string::npos) continue;
    if (!lines.empty()) lines += '\n';
    lines += name;
  }
  if (!lines.empty()) graph.metadata[kScaledLayers] = lines;
}

std::set<std::string> ScaledLayers(const Graph& graph) {
  const auto at = graph.metadata.find(kScaledLayers);
  std::set<std::string> names;
  if (at == graph.metadata.end()) return names;
  std::istringstream lines(at->second);
  for (std::string name; std::getline(lines, name);) names.insert(name);
  return names;
}

namespace {
// The name that the outside knows an output by; what a state takes has its own alone.
std::string OutputName(const Graph& graph, ValueId value) {
  const auto output = std::ranges::find(graph.outputs(), value, &graph::Output::value);
  return output == graph.outputs().end() ? graph.value(value).name : output->name;
}
}  // namespace

bool IsOutputCast(const Graph& graph, const Node& node) {
  return node.op == "Cast" && graph.is_output(node.outputs[0]) &&
         IsFloat(graph.value(node.inputs[0]).type.dtype) &&
         IsFloat(graph.value(node.outputs[0]).type.dtype) && graph.producer_of(node.inputs[0]);
}

std::string LayerNameOf(const Graph& graph, const std::string& value) {
  ValueId id = graph.FindValue(value);
  if (id == ValueId::kNone) return value;
  for (const Node* node = graph.producer_of(id);
       node && (node->op == "QuantizeLinear" || node->op == "DequantizeLinear" ||
                IsOutputCast(graph, *node));
       node = graph.producer_of(id)) {
    id = node->inputs[0];
  }
  // An output's name is that of the value outside, which is behind its Q/DQ pair and its Cast.
  const ValueId seen = SeenValue(graph, id);
  if (graph.is_output(seen)) return graph.value(seen).name;
  for (const graph::Use& use : graph.value(seen).uses) {
    const Node& node = graph.node(use.node);
    if (IsOutputCast(graph, node)) return OutputName(graph, node.outputs[0]);
  }
  return graph.value(id).name;
}

ValueId SeenValue(const Graph& graph, ValueId value) {
  if (graph.is_output(value)) return value;
  for (const graph::Use& use : graph.value(value).uses) {
    const Node& q = graph.node(use.node);
    if (q.op != "QuantizeLinear" || use.input != 0) continue;
    for (const graph::Use& next : graph.value(q.outputs[0]).uses) {
      const Node& dq = graph.node(next.node);
      if (dq.op == "DequantizeLinear" && next.input == 0) return dq.outputs[0];
    }
  }
  return value;
}

Result<std::map<std::string, LayerFidelity>> CompareLayers(const Graph& a, const Graph& b,
                                                           const std::vector<std::string>& names,
                                                           data::Loader& loader,
                                                           const model::Context& context,
                                                           Progress& progress) {
  PARE_ASSIGN(Viewer left, Viewer::Make(a, names, context));
  PARE_ASSIGN(Viewer right, Viewer::Make(b, names, context));
  PARE_ASSIGN(const SharedInputs shared, MatchInputs(a, b));
  std::set<std::string> scaled = ScaledLayers(a);
  scaled.merge(ScaledLayers(b));
  std::map<std::string, LayerSums> sums;
  progress.Stage("comparing layers", loader.samples());
  loader.Rewind();
  while (true) {
    PARE_TRY(progress.Check());
    PARE_ASSIGN(const auto batch, loader.Next());
    if (!batch) break;
    std::map<std::string, Kept> kept;  // of the left side; gone when the right has shown the same
    PARE_TRY(left.Run(batch->inputs, [&](const std::string& name, const View& view) {
      kept[name] = {{view.values.begin(), view.values.end()}, view.shape, view.channels_last};
    }));
    PARE_ASSIGN(const auto inputs, shared.Of(batch->inputs));
    PARE_TRY(right.Run(inputs, [&](const std::string& name, const View& view) {
      const auto other = kept.find(name);
      if (other == kept.end()) return;
      AddSums(sums[name], other->second, view, scaled.contains(name));
      kept.erase(other);
    }));
    progress.Advance(batch->count());
  }
  std::map<std::string, LayerFidelity> fidelity;
  for (const auto& [name, sum] : sums) {
    if (Seen(sum)) fidelity[name] = FidelityOf(sum);
  }
  return fidelity;
}

}  // namespace pare::compress
