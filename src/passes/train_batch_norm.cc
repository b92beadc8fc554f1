// The form of BatchNormalization that training computes, and what stands behind it in one node.
#include "passes/fuse.h"
#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Graph;
using graph::NodeId;
using graph::ValueId;
using graph::ValueKind;

constexpr int kResidual = 5;

bool FormBatchNorm(const Match& m, Patch& p) {
  const auto moves = [&](std::string_view name) {
    return m.value(name).kind == ValueKind::kParameter;
  };
  if (m.type("x").dtype != DType::kF32 || !(moves("scale") || moves("bias"))) return false;
  return p.Replace(m["y"], p.Copy(m["y"]).Named("pare.BatchNorm"));
}

bool FuseResidual(const Match& m, Patch& p) {
  const graph::Node& norm = m.node("norm");
  if (norm.inputs.size() > kResidual || !norm.attrs.s("activation").empty()) return false;
  if (!graph::SameKnownType(m.type("norm"), m.type("residual"))) return false;
  return p.Replace(m["y"], p.Copy(m["norm"]).WithInput(kResidual, m["residual"]));
}

std::span<const Rule> Rules() {
  static const Rule rules[] = {
      {"form-batch-norm",
       Op({"BatchNormalization"}, "y")(Any("x"), Any("scale"), Any("bias"), Const("mean"),
                                       Const("variance")),
       FormBatchNorm},
      {"fuse-batch-norm-residual",
       Op({"Add"}, "y")(Op({"pare.BatchNorm"}, "norm").UsedOnce(), Any("residual")), FuseResidual},
      {"fuse-batch-norm-clamp",
       Op({"Relu", "Clip"}, "act")(Op({"pare.BatchNorm"}, "producer").UsedOnce(),
                                   Any("min").Optional(), Any("max").Optional()),
       FuseActivationRule},
  };
  return rules;
}

// The statistics in `input` as a state of the node's own, whose bytes nobody shares: they move.
ValueId OwnState(Graph& graph, NodeId id, int input) {
  const ValueId stored = graph.node(id).inputs[input];
  const graph::Value& value = graph.value(stored);
  const Tensor own = Tensor::Of<float>(value.type.dims(), value.data.as<float>());
  if (value.uses.size() == 1 && !graph.is_visible(stored)) {
    graph.SetConstant(stored, own);
    graph.SetStoredKind(stored, ValueKind::kState);
    return stored;
  }
  const ValueId state = graph.AddConstant(graph.FreshName(value.name), own, ValueKind::kState);
  graph.SetInput(id, input, state);
  return state;
}

void UpdateStatistics(Graph& graph, NodeId id) {
  for (int i : {3, 4}) {  // the running mean and variance: as inputs before, as outputs after
    const ValueId state = OwnState(graph, id, i);
    graph.AddNodeOutput(id, i, graph.FreshName(graph.value(state).name + ".next"));
    graph.Assign(state, graph.node(id).outputs[i]);
  }
}

}  // namespace

Status TrainBatchNorm(PassContext& context) {
  PARE_TRY(Rewrite(context, Rules()));
  Graph& graph = context.graph();
  for (NodeId id : graph.Order()) {
    const graph::Node& node = graph.node(id);
    const bool updates = node.outputs.size() > 3;
    if (node.op != "pare.BatchNorm" || updates || !context.Allow("update-statistics")) continue;
    UpdateStatistics(graph, id);
    PARE_TRY(ops::InferNode(graph, id, context.dims()));
  }
  return {};
}

}  // namespace pare::passes
