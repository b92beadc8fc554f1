#include "train/loss.h"

namespace pare::train {

using ops::KeepDims;

namespace {

Var Rows(Var x) {
  const Dims shape = x.dims();
  const int64_t count = CountOf(shape).value_or(0);
  return ops::Reshape(x, {shape[0], shape[0] > 0 ? count / shape[0] : 0});
}

Var Mean(Var x) { return ops::Reshape(ops::ReduceMean(x), {}); }
Var MeanOfRows(Var sums) { return Mean(sums); }

Var SumOfRow(Var x) { return ops::ReduceSum(x, {1}); }

// A length that may be divided by, and has a slope at 0.
Var LengthOfRow(Var x) { return ops::Sqrt(SumOfRow(x * x) + 1e-12f); }

}  // namespace

Var Logits(Var output) {
  const graph::Graph& graph = output.emitter().graph();
  graph::ValueId at = output.id();
  // Views that keep the rows stand between, at most.
  while (const graph::Node* node = graph.producer_of(at)) {
    if (node->op == "Softmax") return output.emitter().Of(node->inputs[0]);
    if (node->op != "Reshape" && node->op != "Flatten" && node->op != "Squeeze" &&
        node->op != "Identity")
      break;
    at = node->inputs[0];
  }
  return output;
}

Var CrossEntropy(Var logits, Var targets) {
  return MeanOfRows(-SumOfRow(Rows(targets) * ops::LogSoftmax(Rows(logits), 1)));
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
  return MeanOfRows(1.0f - SumOfRow(x * y) / (LengthOfRow(x) * LengthOfRow(y)));
}

Var SoftLogits(Var student, Var teacher, float temperature) {
  const Var log_p = ops::LogSoftmax(Rows(teacher) * (1 / temperature), 1);
  const Var log_q = ops::LogSoftmax(Rows(student) * (1 / temperature), 1);
  return MeanOfRows(SumOfRow(ops::Exp(log_p) * (log_p - log_q))) * (temperature * temperature);
}

Var AttentionMaps(Var student, Var teacher) {
  const auto map = [](Var x) {
    const Var sums = Rows(ops::ReduceSum(x * x, {1}));
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
