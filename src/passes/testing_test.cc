#include "passes/testing.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "ops/node_view.h"
#include "ops/op_def.h"
#include "ops/prepare.h"
#include "passes/layout.h"
#include "passes/numbers.h"

namespace pare::passes {

using graph::Graph;
using graph::NodeId;
using graph::ValueId;

std::vector<Tensor> RandomInputs(const Graph& graph, uint32_t seed) {
  std::mt19937 generator(seed);
  const auto uniform = [&](double low, double high) {
    return low + (high - low) * (generator() / 4294967296.0);
  };
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs()) {
    const graph::TensorType& type = graph.value(id).type;
    Dims dims;
    for (graph::Dim dim : *type.shape) dims.push_back(dim.known() ? dim.size() : 2 + dim.symbol());
    std::vector<double> values(static_cast<size_t>(CountOf(dims).value()));
    for (double& value : values) {
      value = IsFloat(type.dtype)        ? uniform(-2, 2)
              : type.dtype == DType::kU8 ? std::floor(uniform(0, 256))
              : type.dtype == DType::kI8 ? std::floor(uniform(-128, 128))
                                         : std::floor(uniform(0, 8));
    }
    inputs.push_back(FromDoubles(type.dtype, dims, values));
  }
  return inputs;
}

Result<std::map<std::string, Tensor>> EvaluatePlainly(const Graph& plain,
                                                      std::span<const Tensor> inputs) {
  Graph graph = plain;
  for (size_t i = 0; i < inputs.size(); ++i) {
    graph.ReplaceUses(graph.inputs()[i], graph.AddConstant("", inputs[i]));
  }
  ops::KnownDims dims;
  std::map<std::string, Tensor> outputs;
  for (NodeId id : graph.Order()) {
    PARE_TRY(ops::InferNode(graph, id, dims));
    const graph::Node& node = graph.node(id);
    if (!ops::FindOp(node.op)) return Unsupported(Text("no operator ", node.op));
    PARE_ASSIGN(const std::vector<Tensor> results, ops::Evaluate(graph, node));
    const std::vector<ValueId> results_of = node.outputs;
    for (size_t i = 0; i < results_of.size(); ++i) {
      if (results_of[i] == ValueId::kNone) continue;
      const graph::Value& value = graph.value(results_of[i]);
      if (value.pinned) {
        outputs["pinned " + value.name] =
            value.channels_last ? Transposed(results[i], ToFirst(results[i].rank())) : results[i];
      }
      graph.MakeConstant(results_of[i], results[i]);
    }
  }
  for (const graph::Output& output : graph.outputs()) {
    outputs[output.name] = graph.value(output.value).data;
  }
  return outputs;
}

std::string Difference(const std::map<std::string, Tensor>& a,
                       const std::map<std::string, Tensor>& b, double tolerance) {
  if (a.size() != b.size()) return "the numbers of outputs differ";
  for (const auto& [name, left] : a) {
    const auto found = b.find(name);
    if (found == b.end()) return Text("the output ", name, " is missing");
    const Tensor& right = found->second;
    if (left.dtype() != right.dtype() || left.shape() != right.shape()) {
      return Text(name, ": ", TypeText(graph::TypeOf(left), {}), " became ",
                  TypeText(graph::TypeOf(right), {}));
    }
    const std::vector<double> x = Doubles(left), y = Doubles(right);
    double range = 1e-3;
    for (double value : x) range = std::max(range, std::abs(value));
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
      if (!(std::abs(x[i] - y[i]) <= tolerance * range)) {
        return Text(name, "[", i, "]: ", x[i], " became ", y[i]);
      }
    }
  }
  return "";
}

}  // namespace pare::passes
