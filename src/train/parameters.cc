#include "train/parameters.h"

#include <algorithm>

#include "base/glob.h"
#include "ops/node_view.h"
#include "ops/op_def.h"

namespace pare::train {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

class Finder {
 public:
  explicit Finder(const Graph& graph) : graph_(graph), behind_(graph.value_count(), false) {}

  std::vector<ValueId> Run() {
    for (graph::NodeId id : graph_.Order()) Visit(graph_.node(id));
    return std::move(found_);
  }

 private:
  bool IsWeight(ValueId id) const {
    return graph_.is_constant(id) && graph_.value(id).type.dtype == DType::kF32;
  }

  void Visit(const Node& node) {
    const ops::OpDef* op = ops::FindOp(node.op);
    bool behind = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
      return input != ValueId::kNone && behind_[static_cast<size_t>(input)];
    });
    if (op) behind = Take(node, op->grad, behind) || behind;
    for (ValueId output : node.outputs) {
      if (output != ValueId::kNone) behind_[static_cast<size_t>(output)] = behind;
    }
  }

  // Whether the node has a parameter.
  bool Take(const Node& node, const ops::GradRule& rule, bool behind) {
    bool any = false;
    for (size_t i = 0; i < node.inputs.size() && i < ops::kMaxSlots; ++i) {
      const ValueId input = node.inputs[i];
      if (!IsWeight(input)) continue;
      // A single number in arithmetic is part of a formula (1/√d, ε), not a weight.
      const bool late =
          rule.late_parameters >> i & 1 && behind && graph_.value(input).data.count() > 1;
      if (!(rule.parameters >> i & 1) && !late) continue;
      any = true;
      if (std::find(found_.begin(), found_.end(), input) == found_.end()) found_.push_back(input);
    }
    return any;
  }

  const Graph& graph_;
  std::vector<bool> behind_;  // by value: something is trained before it
  std::vector<ValueId> found_;
};

bool Names(const Graph& graph, const std::string& pattern, ValueId id) {
  const graph::Value& value = graph.value(id);
  if (MatchesGlob(pattern, value.name)) return true;
  return std::any_of(value.uses.begin(), value.uses.end(), [&](const graph::Use& use) {
    return MatchesGlob(pattern, graph.node(use.node).name);
  });
}

bool AnyNames(const Graph& graph, const std::vector<std::string>& patterns, ValueId id) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return Names(graph, pattern, id); });
}

Status CheckPatterns(const Graph& graph, const std::vector<std::string>& patterns,
                     const std::vector<ValueId>& parameters) {
  for (const std::string& pattern : patterns) {
    const bool used = std::any_of(parameters.begin(), parameters.end(),
                                  [&](ValueId id) { return Names(graph, pattern, id); });
    if (used) continue;
    return Fail(ErrorKind::kUsage, Text("no weight is called \"", pattern, "\""),
                "`pare inspect` lists the nodes; patterns may hold * and ?");
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

Result<std::vector<ValueId>> FindParameters(const Graph& graph, const ParameterOptions& options) {
  std::vector<ValueId> all = Finder(graph).Run();
  PARE_TRY(CheckPatterns(graph, options.freeze, all));
  PARE_TRY(CheckPatterns(graph, options.only, all));
  std::erase_if(all, [&](ValueId id) {
    return AnyNames(graph, options.freeze, id) ||
           (!options.only.empty() && !AnyNames(graph, options.only, id));
  });
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
