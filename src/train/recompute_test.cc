#include "train/recompute.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "graph/text.h"
#include "train/program.h"

namespace pare::train {
namespace {

using graph::Graph;

// Layers of 32 units with roundings of weights and activations; half of the weights are 0.
Graph RoundedNetwork(int layers) {
  std::string text = "input x: f32[N,32]\nconst s: f32[] = fill(0.05)\n";
  std::string value = "x";
  for (int i = 0; i < layers; ++i) {
    text += Text("const w", i, ": f32[32,32] = random(", i + 1, ", -0.5, 0.5)\n");
    text += Text("r", i, " = pare.FakeQuantize(w", i, ", s)\n");
    text += Text("a", i, " = pare.FakeQuantize(", value, ", s)\n");
    text += Text("m", i, " = MatMul(a", i, ", r", i, ")\n");
    text += Text("h", i, " = Gelu(m", i, ")\n");
    value = Text("h", i);
  }
  auto graph = graph::Parse(text + "output " + value + "\n");
  EXPECT_TRUE(graph) << graph.error().message();
  for (int i = 0; i < layers; ++i) {
    const graph::ValueId id = graph->FindValue(Text("w", i));
    const Tensor& from = graph->value(id).data;
    Tensor half = Tensor::Of<float>(from.shape(), from.as<float>());
    for (int64_t j = 0; j < half.count(); j += 2) half.mutable_as<float>()[j] = 0;
    graph->SetConstant(id, half);
  }
  EXPECT_TRUE(ops::InferTypes(*graph));
  return *graph;
}

int CountOfNodes(const Graph& graph, std::string_view op) {
  int count = 0;
  for (graph::NodeId id : graph.Order()) count += graph.node(id).op == op;
  return count;
}

class RecomputedStep {
 public:
  explicit RecomputedStep(int64_t max_memory_bytes)
      : graph_(RoundedNetwork(6)), program_(Make(max_memory_bytes)) {
    Tensor rows = Tensor::Make(DType::kF32, {kBatch, 32}).value();
    Random random(1);
    for (float& x : rows.mutable_as<float>()) x = random.Normal();
    TrainBatch batch{.data = {.inputs = {rows}, .indices = {}, .labels = {}}, .mixture = {}};
    for (int64_t i = 0; i < kBatch; ++i) batch.data.labels.push_back(i % 32);
    for (int64_t step = 1; step < 3; ++step)
      EXPECT_TRUE(program_.Run(batch, {.step = step, .rate = 0.1}));
  }
  const Program& program() const { return program_; }

 private:
  static constexpr int64_t kBatch = 64;

  Program Make(int64_t max_memory_bytes) {
    ProgramOptions options{.batch = kBatch,
                           .max_memory_bytes = max_memory_bytes,
                           .parameters = {},
                           .keep_zeros = true,
                           .optimizer = {}};
    auto program = Program::Make(graph_, objective_, model::Context::Make(1), options);
    EXPECT_TRUE(program) << program.error().message();
    return std::move(*program);
  }

  Graph graph_;
  LabelObjective objective_;
  Program program_;
};

// Roundings and masks go before anything else does: what they read is kept for gradients.
TEST(Recompute, BeginsWithRoundingsAndMasks) {
  const RecomputedStep plain(0);
  const int64_t all = plain.program().memory_bytes();
  const RecomputedStep lean(all - 1);
  EXPECT_EQ(plain.program().recomputation(), 0);
  EXPECT_EQ(lean.program().recomputation(), 1);
  EXPECT_LT(static_cast<double>(lean.program().memory_bytes()), 0.9 * static_cast<double>(all));
  const Graph &before = plain.program().graph(), &after = lean.program().graph();
  EXPECT_GE(CountOfNodes(after, "pare.FakeQuantize"),
            CountOfNodes(before, "pare.FakeQuantize") + 8);
  EXPECT_GE(CountOfNodes(after, "pare.Mask"), CountOfNodes(before, "pare.Mask") + 5);
  EXPECT_EQ(CountOfNodes(after, "MatMul"), CountOfNodes(before, "MatMul"));
  EXPECT_EQ(CountOfNodes(after, "Gemm"), CountOfNodes(before, "Gemm"));
  for (size_t i = 0; i < plain.program().states().size(); ++i) {
    const State &a = plain.program().states()[i], &b = lean.program().states()[i];
    EXPECT_TRUE(graph::SameTensor(a.data, b.data)) << a.name;
  }
}

// Sums along a residual stream are kept here and there: to compute the last one anew shall not
// bring back all of them.
TEST(Recompute, CutsResidualStreams) {
  std::string text = "input x: f32[64,32]\nconst s: f32[] = fill(0.05)\n", value = "x";
  for (int i = 0; i < 8; ++i) {
    text += Text("const w", i, ": f32[32,32] = random(", i + 1, ", -0.5, 0.5)\n");
    text += Text("a", i, " = pare.FakeQuantize(", value, ", s)\n");
    text += Text("m", i, " = MatMul(a", i, ", w", i, ")\n");
    text += Text("q", i, " = pare.FakeQuantize(m", i, ", s)\n");
    text += Text("z", i, " = Add(q", i, ", a", i, ")\n");
    text += Text("h", i, " = Relu(z", i, ")\n");
    value = Text("h", i);
  }
  auto graph = graph::Parse(text + "output " + value + "\n");
  ASSERT_TRUE(graph) << graph.error().message();
  ASSERT_TRUE(ops::InferTypes(*graph));
  LabelObjective objective;
  ProgramOptions options{.batch = 64, .parameters = {}, .optimizer = {}};
  const auto plain = Program::Make(*graph, objective, model::Context::Make(1), options);
  ASSERT_TRUE(plain) << plain.error().message();
  options.max_memory_bytes = plain->memory_bytes() - 1;
  const auto lean = Program::Make(*graph, objective, model::Context::Make(1), options);
  ASSERT_TRUE(lean) << lean.error().message();
  EXPECT_EQ(lean->recomputation(), 1);
  EXPECT_LT(static_cast<double>(lean->memory_bytes()),
            0.85 * static_cast<double>(plain->memory_bytes()));
}

// Its gradient reads what Relu gives, not what it takes.
TEST(Recompute, LeavesProductsAndWhatFollowsThem) {
  auto graph = graph::Parse(R"(
input x: f32[4,8]
param w: f32[8,8] = random(1, -1, 1)
h = MatMul(x, w)
y = Relu(h)
loss = ReduceSum(y)
g = Neg(y)
output loss
output g
)");
  ASSERT_TRUE(graph);
  ASSERT_TRUE(ops::InferTypes(*graph));
  const Graph same =
      Recompute(*graph, graph->FindValue("loss"), {.drop = Recomputation::Drop::kFromKept});
  EXPECT_EQ(same.node_count(), graph->node_count());
}

}  // namespace
}  // namespace pare::train
