#include "compress/not_finite.h"

#include <algorithm>
#include <cmath>

#include "ops/op_def.h"

namespace pare::compress {
namespace {

using graph::Graph;

bool IsWeight(const Graph& graph, const graph::Value& value) {
  return std::any_of(value.uses.begin(), value.uses.end(), [&](const graph::Use& use) {
    const ops::OpDef* op = ops::FindOp(graph.node(use.node).op);
    const auto input = static_cast<size_t>(use.input);
    if (!op || input >= op->quant.inputs.size()) return false;
    const ops::Role role = op->quant.inputs[input].role;
    return role == ops::Role::kWeight || role == ops::Role::kBias;
  });
}

int64_t CountBad(const Tensor& tensor, bool infinities_too) {
  const auto floats =
      tensor.dtype() == DType::kF32 ? Result<Tensor>(tensor) : Cast(tensor, DType::kF32);
  if (!floats) return 0;
  const auto values = floats->as<float>();
  return std::count_if(values.begin(), values.end(),
                       [&](float v) { return infinities_too ? !std::isfinite(v) : std::isnan(v); });
}

}  // namespace

std::string NotFiniteWeights(const Graph& graph) {
  int64_t tensors = 0;
  std::string first;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const graph::Value& value = graph.value(static_cast<graph::ValueId>(i));
    if (!value.data || value.uses.empty() || !IsFloat(value.data.dtype())) continue;
    const int64_t bad = CountBad(value.data, IsWeight(graph, value));
    if (bad == 0 || tensors++ > 0) continue;
    first = Text("the constant \"", value.name, "\" holds NaN or infinities in ", bad, " of ",
                 value.data.count(), " places");
  }
  return tensors > 1 ? Text(first, ", and ", tensors - 1, " others do") : first;
}

std::string NotFiniteNote(const Graph& graph) {
  const std::string bad = NotFiniteWeights(graph);
  return bad.empty() ? "" : Text(bad, ": its answers may hold them, too");
}

Status CheckWeights(const Graph& graph) {
  const std::string bad = NotFiniteWeights(graph);
  return bad.empty() ? Status() : Fail(ErrorKind::kInvalid, bad, "train or export the model anew");
}

}  // namespace pare::compress
