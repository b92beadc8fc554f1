#include "train/loss.h"

#include <algorithm>
#include <iterator>

namespace pare::train {

using ops::KeepDims;

namespace {

Var Rows(Var x) {
  const Dims shape = x.dims();
  const int64_t count = CountOf(shape).value_or(0);
  return ops::Reshape(x, {shape[0], shape[0] > 0 ? count / shape[0] : 0});
}

Var Mean(Var x) { return ops::Reshape(ops::ReduceMean(x), {}); }

Var SumOfRow(Var x) { return ops::ReduceSum(x, {1}); }

// Null where the output is made by none, views and a Cast aside.
const graph::Node* FinalSoftmax(const graph::Graph& graph, graph::ValueId output) {
  constexpr std::string_view kBetween[] = {"Reshape", "Flatten", "Squeeze", "Identity", "Cast"};
  while (const graph::Node* node = graph.producer_of(output)) {
    if (node->op == "Softmax") return node;
    if (std::find(std::begin(kBetween), std::end(kBetween), node->op) == std::end(kBetween)) break;
    output = node->inputs[0];
  }
  return nullptr;
}

// A length that may be divided by, and has a slope at 0.
Var LengthOfRow(Var x) { return ops::Sqrt(SumOfRow(x * x) + 1e-12f); }

}  // namespace

graph::ValueId LogitsOf(const graph::Graph& graph, graph::ValueId output) {
  const graph::Node* softmax = FinalSoftmax(graph, output);
  return softmax ? softmax->inputs[0] : output;
}

std::optional<int> SoftmaxAxis(const graph::Graph& graph, graph::ValueId output) {
  const graph::Node* softmax = FinalSoftmax(graph, output);
  if (!softmax || !graph.value(softmax->inputs[0]).type.has_rank()) return std::nullopt;
  const int rank = graph.value(softmax->inputs[0]).type.rank();
  const auto axis = static_cast<int>(softmax->attrs.i("axis", -1));
  return axis < 0 ? axis + rank : axis;
}

Var Logits(Var output) {
  return output.emitter().Of(LogitsOf(output.emitter().graph(), output.id()));
}

Var CrossEntropy(Var logits, Var targets) {
  return Mean(-SumOfRow(Rows(targets) * ops::LogSoftmax(Rows(logits), 1)));
}

Var MeanSquare(Var a, Var b) {
  const Var d = a - b;
  return Mean(d * d);
}

Var Huber(Var a, Var b, float delta) {
  const Var d = ops::Abs(a - b), limit = d.emitter().Scalar(delta);
  return Mean(ops::Where(ops::Less(d, limit), d * d * 0.5f, (d - 0.5f * delta) * delta));
}

Var CosineDistance(Var a, Var b) {
  const Var x = Rows(a), y = Rows(b);
  return Mean(1.0f - SumOfRow(x * y) / (LengthOfRow(x) * LengthOfRow(y)));
}

Var SoftLogits(Var student, Var teacher, float temperature, int axis) {
  const Var log_p = ops::LogSoftmax(teacher * (1 / temperature), axis);
  const Var log_q = ops::LogSoftmax(student * (1 / temperature), axis);
  const Var divergence = ops::ReduceSum(ops::Exp(log_p) * (log_p - log_q), {axis});
  return Mean(divergence) * (temperature * temperature);
}

Var AttentionMaps(Var student, Var teacher, int axis) {
  const auto map = [axis](Var x) {
    const Var sums = Rows(ops::ReduceSum(x * x, {axis}));
    return sums / LengthOfRow(sums);
  };
  return MeanSquare(map(student), map(teacher));
}

Var PairDistances(Var student, Var teacher) {
  const auto distances = [](Var x) {
    const Var rows = Rows(x);
    const int64_t n = rows.dims()[0], width = rows.dims()[1];
    const Var apart = ops::Reshape(rows, {n, 1, width}) - ops::Reshape(rows, {1, n, width});
    const Var d = ops::Sqrt(ops::ReduceSum(apart * apart, {2}, KeepDims::kNo) + 1e-12f);
    return d / (Mean(d) + 1e-12f);
  };
  return Huber(distances(student), distances(teacher));
}

}  // namespace pare::train
