#include "train/parameters.h"

#include <algorithm>
#include <cmath>

#include "base/glob.h"
#include "ops/node_view.h"
#include "ops/op_def.h"
#include "train/channel_axes.h"

namespace pare::train {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

// A constant that training may move.
struct Candidate {
  ValueId id;
  bool is_weight;  // else one that may be a weight: only where it is asked for
};

class Finder {
 public:
  explicit Finder(const Graph& graph)
      : graph_(graph), behind_(graph.value_count(), false), channels_(graph) {}

  std::vector<Candidate> Run() {
    for (graph::NodeId id : graph_.Order()) Visit(id);
    return std::move(found_);
  }

 private:
  const Tensor& data(ValueId id) const { return graph_.value(id).data; }
  bool IsStored(ValueId id) const {
    return graph_.is_constant(id) && graph_.value(id).type.dtype == DType::kF32;
  }

  void Visit(graph::NodeId id) {
    const Node& node = graph_.node(id);
    const ops::OpDef* op = ops::FindOp(node.op);
    bool behind = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
      return input != ValueId::kNone && behind_[static_cast<size_t>(input)];
    });
    const uint32_t weights = op ? Stored(node, op->grad.parameters) : 0;
    channels_.Visit(id, weights);
    for (size_t i = 0; i < node.inputs.size() && i < ops::kMaxSlots; ++i) {
      if (weights >> i & 1) Take(node.inputs[i], true);
    }
    if (op && behind) TakeLate(node, Stored(node, op->grad.late_parameters));
    for (ValueId output : node.outputs) {
      if (output != ValueId::kNone) behind_[static_cast<size_t>(output)] = behind || weights != 0;
    }
  }

  // Those of the inputs that are constants.
  uint32_t Stored(const Node& node, uint32_t inputs) const {
    uint32_t stored = 0;
    for (size_t i = 0; i < node.inputs.size() && i < ops::kMaxSlots; ++i) {
      if (inputs >> i & 1 && IsStored(node.inputs[i])) stored |= 1u << i;
    }
    return stored;
  }

  void TakeLate(const Node& node, uint32_t inputs) {
    for (size_t i = 0; i < node.inputs.size() && i < ops::kMaxSlots; ++i) {
      if (!(inputs >> i & 1)) continue;
      // A single number in arithmetic is part of a formula (1/√d, ε), not a weight.
      const Tensor& values = data(node.inputs[i]);
      if (values.count() > 1 && AllFinite(values))
        Take(node.inputs[i], AlongChannels(values.shape(), node.outputs[0]));
    }
  }

  static bool AllFinite(const Tensor& values) {
    return std::ranges::all_of(values.as<float>(), [](float x) { return std::isfinite(x); });
  }

  // Whether an operand of this shape is a vector with a number for each channel of the result.
  bool AlongChannels(const Dims& shape, ValueId result) const {
    const graph::TensorType& type = graph_.value(result).type;
    if (!type.has_rank() || std::ssize(shape) - std::ranges::count(shape, 1) != 1) return false;
    const auto axis = std::ranges::find_if(shape, [](int64_t size) { return size != 1; });
    const auto from_behind = static_cast<int>(shape.end() - axis);
    return from_behind <= type.rank() && channels_.LieAlong(result, type.rank() - from_behind);
  }

  void Take(ValueId id, bool is_weight) {
    const auto known = std::ranges::find(found_, id, &Candidate::id);
    if (known == found_.end()) {
      found_.push_back({id, is_weight});
    } else {
      known->is_weight = known->is_weight || is_weight;
    }
  }

  const Graph& graph_;
  std::vector<bool> behind_;  // by value: something is trained before it
  ChannelAxes channels_;
  std::vector<Candidate> found_;
};

bool AnyNames(const Graph& graph, const std::vector<std::string>& patterns, ValueId id) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return IsNamed(graph, pattern, id); });
}

Status CheckPatterns(const Graph& graph, const std::vector<std::string>& patterns,
                     const std::vector<Candidate>& candidates) {
  for (const std::string& pattern : patterns) {
    const bool used = std::any_of(candidates.begin(), candidates.end(), [&](const Candidate& one) {
      return IsNamed(graph, pattern, one.id);
    });
    if (used) continue;
    return Fail(ErrorKind::kUsage, Text("no weight is called \"", pattern, "\""),
                "`pare inspect --nodes` lists the nodes; patterns may hold * and ?");
  }
  return {};
}

// What to do where nothing can be trained.
std::string AdviceFor(const Graph& graph, bool patterns) {
  if (patterns) return "fewer --freeze patterns, or wider --train-only ones, leave something";
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const graph::Value& value = graph.value(static_cast<ValueId>(i));
    const DType dtype = value.type.dtype;
    if (value.kind != graph::ValueKind::kConstant || value.data.count() < 2) continue;
    if (dtype == DType::kI8 || dtype == DType::kU8 || (IsFloat(dtype) && dtype != DType::kF32)) {
      return Text("weights are ", DTypeName(dtype), " (", value.name, ' ',
                  DimsText(value.data.shape()), "): start from the float32 model");
    }
  }
  return "none of its operators has weights that pare can train";
}

}  // namespace

bool IsNamed(const Graph& graph, const std::string& pattern, ValueId id) {
  const graph::Value& value = graph.value(id);
  if (MatchesGlob(pattern, value.name)) return true;
  return std::any_of(value.uses.begin(), value.uses.end(), [&](const graph::Use& use) {
    return MatchesGlob(pattern, graph.node(use.node).name);
  });
}

Result<std::vector<ValueId>> FindParameters(const Graph& graph, const ParameterOptions& options) {
  const std::vector<Candidate> candidates = Finder(graph).Run();
  PARE_TRY(CheckPatterns(graph, options.freeze, candidates));
  PARE_TRY(CheckPatterns(graph, options.only, candidates));
  std::vector<ValueId> all;
  for (const auto& [id, is_weight] : candidates) {
    const bool wanted = options.only.empty() ? is_weight : AnyNames(graph, options.only, id);
    if (wanted && !AnyNames(graph, options.freeze, id)) all.push_back(id);
  }
  for (const std::string& name : options.also) {
    const ValueId id = graph.FindValue(name);
    if (id == ValueId::kNone || !graph.is_constant(id))
      return Fail(ErrorKind::kInternal, Text(name, " is no constant that could be trained"));
    all.push_back(id);
  }
  if (!all.empty()) return all;
  return Fail(ErrorKind::kUsage, "there is nothing to train: no float32 weight is left",
              AdviceFor(graph, !options.freeze.empty() || !options.only.empty()));
}

std::vector<ValueId> LeftAlone(const Graph& graph, const ParameterOptions& options) {
  std::vector<ValueId> left;
  if (!options.only.empty()) return left;
  for (const auto& [id, is_weight] : Finder(graph).Run()) {
    if (!is_weight && !AnyNames(graph, options.freeze, id)) left.push_back(id);
  }
  return left;
}

Result<Graph> WithParameters(const Graph& graph, const std::vector<ValueId>& parameters) {
  Graph own = graph;
  for (ValueId id : parameters) {
    const Tensor& data = own.value(id).data;
    PARE_ASSIGN(Tensor copy, Tensor::Make(data.dtype(), data.shape()));
    std::memcpy(copy.mutable_data(), data.data(), data.bytes());
    own.SetConstant(id, std::move(copy));
    own.SetStoredKind(id, graph::ValueKind::kParameter);
  }
  return own;
}

int64_t FanInOf(const Graph& graph, graph::Use use) {
  const Node& node = graph.node(use.node);
  const ops::OpDef* op = ops::FindOp(node.op);
  const ops::NodeView view(graph, node);
  return op && op->grad.fan_in ? op->grad.fan_in(view, use.input) : 0;
}

}  // namespace pare::train
