#include "compress/layers.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

struct Sums {
  double aa = 0, bb = 0, ab = 0, difference = 0;
};

struct Seen {
  std::vector<float> values;
  Dims shape;
  bool channels_last = false;
};
using Captured = std::map<std::string, Seen>;  // by layer

// A session in which the layers' values are pinned, and what the last run showed of them.
class Viewer {
 public:
  static Result<Viewer> Make(const Graph& graph, const std::vector<std::string>& names,
                             const model::Context& context) {
    Viewer viewer;
    Graph pinned = graph;
    for (const std::string& name : names) {
      ValueId id = graph.FindValue(name);
      if (id == ValueId::kNone || graph.is_constant(id)) continue;
      id = SeenValue(graph, id);
      pinned.SetPinned(id, true);
      viewer.layer_of_[graph.value(id).name] = name;
    }
    // In integers a value would be visible in its own scale only: the float form of Q/DQ shows the
    // same.
    PARE_ASSIGN(viewer.session_,
                model::MakeSession(pinned, context, {.switches = "-QdqToInteger"}));
    return viewer;
  }

  Status Run(std::span<const Tensor> inputs) {
    captured_.clear();
    const auto look = [&](const runtime::PinnedValue& value, const void* data) {
      const auto layer = layer_of_.find(value.name);
      if (layer == layer_of_.end() || value.type.dtype != DType::kF32) return;
      Seen& seen = captured_[layer->second];
      seen.shape = value.type.dims();
      seen.channels_last = value.channels_last;
      const auto* floats = static_cast<const float*>(data);
      seen.values.assign(floats, floats + CountOf(seen.shape).value());
    };
    const runtime::Observer observer(look);
    std::vector<Tensor> outputs(session_->graph().outputs().size());
    return session_->Run(inputs, outputs, {.observer = &observer});
  }
  const Captured& captured() const { return captured_; }

 private:
  std::unique_ptr<runtime::Session> session_;
  std::map<std::string, std::string> layer_of_;  // by pinned value
  Captured captured_;
};

void AddSums(Sums& sums, const Seen& a, const Seen& b) {
  if (a.shape != b.shape || a.channels_last != b.channels_last) return;
  for (size_t i = 0; i < a.values.size(); ++i) {
    const double x = a.values[i], y = b.values[i];
    sums.aa += x * x;
    sums.bb += y * y;
    sums.ab += x * y;
    sums.difference += (x - y) * (x - y);
  }
}

LayerFidelity FidelityOf(const Sums& sums) {
  constexpr double kHighest = 200;  // dB; equal to the last bit
  LayerFidelity fidelity;
  fidelity.snr_db =
      sums.difference > 0
          ? std::min(kHighest, 10 * std::log10(std::max(sums.aa, 1e-30) / sums.difference))
          : kHighest;
  fidelity.cosine =
      sums.aa == 0 && sums.bb == 0 ? 1 : sums.ab / std::max(std::sqrt(sums.aa * sums.bb), 1e-30);
  return fidelity;
}

}  // namespace

std::string LayerNameOf(const Graph& graph, const std::string& value) {
  ValueId id = graph.FindValue(value);
  if (id == ValueId::kNone) return value;
  for (const Node* node = graph.producer_of(id);
       node && (node->op == "QuantizeLinear" || node->op == "DequantizeLinear");
       node = graph.producer_of(id)) {
    id = node->inputs[0];
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
  std::map<std::string, Sums> sums;
  progress.Stage("comparing layers", loader.samples());
  loader.Rewind();
  while (true) {
    PARE_TRY(progress.Check());
    PARE_ASSIGN(const auto batch, loader.Next());
    if (!batch) break;
    PARE_TRY(left.Run(batch->inputs));
    PARE_TRY(right.Run(batch->inputs));
    for (const auto& [name, seen] : left.captured()) {
      const auto other = right.captured().find(name);
      if (other != right.captured().end()) AddSums(sums[name], seen, other->second);
    }
    progress.Advance(batch->count());
  }
  std::map<std::string, LayerFidelity> fidelity;
  for (const auto& [name, sum] : sums) {
    if (sum.aa > 0 || sum.bb > 0) fidelity[name] = FidelityOf(sum);
  }
  return fidelity;
}

}  // namespace pare::compress
