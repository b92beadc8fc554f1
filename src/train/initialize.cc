#include "train/initialize.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "ops/op_def.h"

namespace pare::train {
namespace {

using graph::Graph;
using graph::ValueId;

// What the first node that reads a value calls it: "w", "scale", "mean".
std::string_view RoleOf(const Graph& graph, ValueId id) {
  const auto& uses = graph.value(id).uses;
  if (uses.empty()) return "";
  const ops::OpDef* op = ops::FindOp(graph.node(uses[0].node).op);
  return op && uses[0].input < ops::kMaxSlots ? op->inputs[uses[0].input].name : "";
}

// How many products each sum of the layer has.
int64_t FanIn(const Graph& graph, ValueId id) {
  const Dims& shape = graph.value(id).data.shape();
  const graph::Use use = graph.value(id).uses[0];
  const graph::Node& node = graph.node(use.node);
  if (node.op == "Gather") return shape.back();  // an embedding: rows of length about √2
  const bool rows_in = node.op == "MatMul" || node.op == "ConvTranspose" ||
                       (node.op == "Gemm" && node.attrs.i("transB", 0) == 0);
  if (rows_in && node.op != "ConvTranspose") return shape[shape.size() - 2];
  const int64_t count = graph.value(id).data.count();
  const int64_t out = rows_in ? shape[1] : shape[0];
  return std::max<int64_t>(1, count / std::max<int64_t>(1, out));
}

Status Fill(Graph& graph, ValueId id, float deviation, float mean, Random& random) {
  const Dims shape = graph.value(id).data.shape();
  PARE_ASSIGN(Tensor data, Tensor::Make(DType::kF32, shape));
  for (float& x : data.mutable_as<float>()) x = deviation > 0 ? deviation * random.Normal() : mean;
  graph.SetConstant(id, std::move(data));
  return {};
}

Status ResetStatistics(Graph& graph, Random& random) {
  for (graph::NodeId id : graph.Order()) {
    if (graph.node(id).op != "BatchNormalization") continue;
    const std::vector<ValueId> inputs = graph.node(id).inputs;
    if (graph.is_constant(inputs[3])) PARE_TRY(Fill(graph, inputs[3], 0, 0, random));
    if (graph.is_constant(inputs[4])) PARE_TRY(Fill(graph, inputs[4], 0, 1, random));
  }
  return {};
}

}  // namespace

Status InitializeWeights(Graph& graph, const std::vector<ValueId>& parameters, uint64_t seed) {
  Random random(seed, 0x696e6974);
  for (ValueId id : parameters) {
    const bool matrix = graph.value(id).data.rank() > 1;
    const float deviation =
        matrix ? std::sqrt(2.0f / static_cast<float>(std::max<int64_t>(1, FanIn(graph, id))))
               : 0.0f;
    PARE_TRY(Fill(graph, id, deviation, RoleOf(graph, id) == "scale" ? 1.0f : 0.0f, random));
  }
  return ResetStatistics(graph, random);
}

}  // namespace pare::train
