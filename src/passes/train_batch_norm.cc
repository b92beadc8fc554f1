// The form of BatchNormalization that training computes, and what stands behind it in one node.
#include <map>

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
  if (m["mean"] == m["variance"]) return false;  // one constant can't keep both
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

// Running statistics by the constant that stores them, as the nodes so far left them.
using Statistics = std::map<ValueId, ValueId>;

// The stored constant becomes a state, whose bytes nobody shares: they move.
void MakeState(Graph& graph, ValueId stored) {
  const graph::Value& value = graph.value(stored);
  graph.SetConstant(stored, Tensor::Of<float>(value.type.dims(), value.data.as<float>()));
  graph.SetStoredKind(stored, ValueKind::kState);
}

// Nodes that share a constant (a layer that is applied twice) move it one after the other.
void UpdateStatistics(Graph& graph, NodeId id, Statistics& latest) {
  for (int i : {3, 4}) {  // the running mean and variance: as inputs before, as outputs after
    const ValueId stored = graph.node(id).inputs[i];
    const auto [now, first] = latest.try_emplace(stored, stored);
    if (first) MakeState(graph, stored);
    graph.SetInput(id, i, now->second);
    graph.AddNodeOutput(id, i, graph.FreshName(graph.value(stored).name + ".next"));
    now->second = graph.node(id).outputs[i];
  }
}

}  // namespace

Status TrainBatchNorm(PassContext& context) {
  PARE_TRY(Rewrite(context, Rules()));
  Graph& graph = context.graph();
  Statistics latest;
  for (NodeId id : graph.Order()) {
    const graph::Node& node = graph.node(id);
    const bool updates = node.outputs.size() > 3;
    if (node.op != "pare.BatchNorm" || updates || !context.Allow("update-statistics")) continue;
    UpdateStatistics(graph, id, latest);
    PARE_TRY(ops::InferNode(graph, id, context.dims()));
  }
  for (const auto& [stored, next] : latest) graph.Assign(stored, next);
  return {};
}

}  // namespace pare::passes
