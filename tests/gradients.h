// Gradients of a graph by all its parameters, held against central differences of the forward pass.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "graph/text.h"
#include "graph/verify.h"
#include "ops/op_def.h"
#include "passes/pipeline.h"
#include "runtime/session.h"
#include "train/autodiff.h"

namespace pare::gradients {

using graph::Graph;
using graph::ValueId;

inline Tensor Random(const Dims& shape, uint32_t seed) {
  Tensor tensor = Tensor::Make(DType::kF32, shape).value();
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  for (float& x : tensor.mutable_as<float>()) x = normal(engine);
  return tensor;
}

inline std::vector<ValueId> Parameters(const Graph& graph) {
  std::vector<ValueId> found;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (graph.value(id).kind == graph::ValueKind::kParameter) found.push_back(id);
  }
  return found;
}

// Parameters of their own, so that moving them leaves other graphs alone.
inline void OwnParameters(Graph& graph) {
  for (ValueId id : Parameters(graph)) {
    const Tensor& data = graph.value(id).data;
    Tensor own = Tensor::Make(data.dtype(), data.shape()).value();
    std::memcpy(own.mutable_data(), data.data(), data.bytes());
    graph.SetConstant(id, own);
  }
}

class Runner {
 public:
  explicit Runner(const Graph& graph, const Cpu& cpu = DetectCpu())
      : session_(graph, cpu, std::make_shared<ThreadPool>(1),
                 [](const Graph& g, std::span<const Dims>) -> Result<Graph> { return g; }) {}

  std::vector<Tensor> Run() {
    std::vector<Tensor> outputs(session_.graph().outputs().size());
    const Status status = session_.Run({}, outputs);
    if (!status) ADD_FAILURE() << status.error().message();
    return outputs;
  }

 private:
  runtime::Session session_;
};

inline double Dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.count(); ++i) sum += double{a.as<float>()[i]} * b.as<float>()[i];
  return sum;
}

// The forward graph's loss, in double, by the scalar references: differences of it are small, and
// fast convolutions round more.
class Loss {
 public:
  explicit Loss(const Graph& graph) : runner_(graph, {.isas = ImpliedIsas(Isa::kScalar)}) {
    for (size_t i = 0; i < graph.outputs().size(); ++i)
      weights_.push_back(Random(graph.value(graph.outputs()[i].value).type.dims(),
                                100 + static_cast<uint32_t>(i)));
  }
  const std::vector<Tensor>& weights() const { return weights_; }
  double operator()() {
    const std::vector<Tensor> outputs = runner_.Run();
    double loss = 0;
    for (size_t i = 0; i < outputs.size(); ++i) loss += Dot(outputs[i], weights_[i]);
    return loss;
  }

 private:
  Runner runner_;
  std::vector<Tensor> weights_;
};

// The graph with the gradients by all parameters as its outputs.
inline Result<Graph> GradientGraph(Graph graph, const std::vector<Tensor>& weights) {
  PARE_ASSIGN(ops::KnownDims dims, ops::InferTypesAndDims(graph));
  ops::Emitter emit(graph, dims);
  ops::Var loss;
  const std::vector<graph::Output> outputs = graph.outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const ops::Var part = ops::ReduceSum(emit.Of(outputs[i].value) * emit.Constant(weights[i]));
    const ops::Var sum = ops::Reshape(part, {});
    loss = loss ? loss + sum : sum;
  }
  const std::vector<ValueId> parameters = Parameters(graph);
  PARE_ASSIGN(const auto gradients, train::Differentiate(emit, loss.id(), parameters));
  for (size_t i = 0; i < parameters.size(); ++i) {
    const ValueId gradient = gradients[i] != ValueId::kNone
                                 ? gradients[i]
                                 : emit.Full(graph.value(parameters[i]).type.dims(), 0).id();
    graph.AddOutput(gradient, "gradient of " + graph.value(parameters[i]).name);
  }
  PARE_TRY(emit.status());
  PARE_TRY(graph::Verify(graph));
  return graph;
}

// (L(w + εv) − L(w − εv)) / 2ε
inline double Slope(Loss& loss, Tensor& parameter, const Tensor& direction) {
  constexpr float kStep = 1.0f / 128;
  const auto move = [&](float step) {
    for (int64_t i = 0; i < parameter.count(); ++i)
      parameter.mutable_as<float>()[i] += step * direction.as<float>()[i];
  };
  const Tensor kept = Tensor::Of<float>(parameter.shape(), parameter.as<float>());
  move(kStep);
  const double above = loss();
  std::memcpy(parameter.mutable_data(), kept.data(), kept.bytes());
  move(-kStep);
  const double below = loss();
  std::memcpy(parameter.mutable_data(), kept.data(), kept.bytes());
  return (above - below) / (2 * kStep);
}

inline Tensor UnitDirection(const Dims& shape, uint32_t seed) {
  Tensor direction = Random(shape, seed);
  const auto length = static_cast<float>(std::sqrt(std::max(Dot(direction, direction), 1e-30)));
  for (float& x : direction.mutable_as<float>()) x /= length;
  return direction;
}

inline void CheckSlopes(const Graph& forward, const std::vector<Tensor>& gradients, Loss& loss) {
  const std::vector<ValueId> parameters = Parameters(forward);
  for (size_t i = 0; i < parameters.size(); ++i) {
    SCOPED_TRACE(forward.value(parameters[i]).name);
    Tensor parameter = forward.value(parameters[i]).data;
    const Tensor& gradient = gradients[i];
    const double length =
        std::sqrt(Dot(gradient, gradient) / std::max<int64_t>(1, gradient.count()));
    for (uint32_t seed = 0; seed < 4; ++seed) {
      const Tensor direction = UnitDirection(parameter.shape(), seed + 7);
      const double expected = Slope(loss, parameter, direction);
      EXPECT_NEAR(Dot(gradient, direction), expected,
                  2e-3 * std::abs(expected) + 2e-3 * length + 1e-5);
    }
  }
}

// Of the loss Σ y·r over all outputs of the graph that the text describes, with random r; as
// written and optimized.
inline void Check(const std::string& text) {
  auto parsed = graph::Parse(text);
  ASSERT_TRUE(parsed) << parsed.error().message();
  Graph forward = *parsed;
  OwnParameters(forward);
  const Status inferred = ops::InferTypes(forward);
  ASSERT_TRUE(inferred) << inferred.error().message();
  Loss loss(forward);
  auto graph = GradientGraph(forward, loss.weights());
  ASSERT_TRUE(graph) << graph.error().message();
  const size_t outputs = forward.outputs().size();
  for (const bool optimized : {false, true}) {
    SCOPED_TRACE(optimized ? "optimized" : "as written");
    Graph runs = *graph;
    if (optimized) {
      const Status status = passes::Optimize(runs, nullptr, {.switches = {}, .verify = true});
      ASSERT_TRUE(status) << status.error().message();
    }
    std::vector<Tensor> results = Runner(runs).Run();
    CheckSlopes(forward, {results.begin() + static_cast<std::ptrdiff_t>(outputs), results.end()},
                loss);
  }
}

}  // namespace pare::gradients
