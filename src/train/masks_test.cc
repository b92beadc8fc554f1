#include "train/masks.h"

#include <cmath>
#include <functional>

#include "base/test_progress.h"
#include "platform/test_folder.h"
#include "train/parameters.h"
#include "train/testing.h"

namespace pare::train {
namespace {

using graph::Graph;

constexpr int64_t kPoints = 192;

Graph Parsed(std::string_view text) {
  auto graph = graph::Parse(text);
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(ops::InferTypes(*graph));
  return *graph;
}

// Every third number becomes 0, the second of them −0.
void Thin(Graph& graph, const char* name) {
  const Tensor& from = graph.value(graph.FindValue(name)).data;
  Tensor thin = Tensor::Of<float>(from.shape(), from.as<float>());
  for (int64_t i = 0; i < thin.count(); i += 3) thin.mutable_as<float>()[i] = i == 3 ? -0.0f : 0;
  graph.SetConstant(graph.FindValue(name), thin);
}

Graph SparseClassifier() {
  Graph graph = SmallClassifier();
  for (const char* name : {"w1", "w2"}) Thin(graph, name);
  return graph;
}

std::span<const float> Weights(const Graph& graph, const char* name) {
  return graph.value(graph.FindValue(name)).data.as<float>();
}

TrainOptions KeepingZeros() {
  TrainOptions options;
  options.program.batch = 16;
  options.program.keep_zeros = true;
  options.schedule.rate = 0.05;
  options.epochs = 4;
  options.seed = 3;
  return options;
}

Result<Trained> TrainOn(const Graph& graph, const TrainOptions& options,
                        Progress&& progress = SilentProgress()) {
  LabelObjective objective;
  return Train(graph, ThreeClouds(kPoints), FirstIndices(kPoints), {}, objective, {},
               model::Context::Make(1), options, progress);
}

// The names of the masked weights.
std::vector<std::string> Masked(Graph& graph) {
  const auto parameters = FindParameters(graph, {});
  EXPECT_TRUE(parameters) << parameters.error().message();
  auto own = WithParameters(graph, *parameters);
  EXPECT_TRUE(own);
  const auto masks = InsertMasks(*own, *parameters);
  EXPECT_TRUE(masks) << masks.error().message();
  std::vector<std::string> names;
  for (const Mask& mask : *masks) names.push_back(own->value(mask.weight).name);
  graph = *own;
  return names;
}

TEST(Masks, StandBehindMatricesAndFiltersThatHoldZeros) {
  Graph graph = Parsed(R"(
input x: f32[N,3,8,8]
input words: i64[N,4]
const whole: f32[4,3,3,3] = random(1, 0.1, 1)
const filters: f32[4,4,1,1] = fill(0)
const slope: f32[4,1,1] = fill(0)
const scale: f32[4] = fill(1)
const bias: f32[4] = fill(0)
const mean: f32[4] = fill(0)
const variance: f32[4] = fill(1)
const matrix: f32[4,6] = fill(0)
const shift: f32[1,6] = fill(0)
const table: f32[9,6] = fill(0)
const frozen: f32[3,6] = fill(0)
h = Conv(x, whole)
n = BatchNormalization(h, scale, bias, mean, variance)
p = PRelu(n, slope)
c = Conv(p, filters)
g = GlobalAveragePool(c)
f = Flatten(g)
m = MatMul(f, matrix)
s = Add(m, shift)
e = Gather(table, words)
a = ReduceSum(e)
y = Mul(s, a)
output y
)");
  EXPECT_EQ(Masked(graph), (std::vector<std::string>{"filters", "matrix", "table"}));
  const graph::Node& conv = *graph.producer_of(graph.FindValue("c"));
  EXPECT_EQ(graph.value(conv.inputs[1]).name, "filters_masked");
  EXPECT_EQ(graph.value(graph.FindValue("filters_mask")).kind, graph::ValueKind::kConstant);
  EXPECT_EQ(graph.producer_of(graph.FindValue("h"))->inputs[1], graph.FindValue("whole"));
}

TEST(Masks, StandBeforeTheRoundingOfAWeight) {
  Graph graph = Parsed(R"(
input x: f32[N,8]
const w: f32[8,8] = fill(0)
const scale: f32[] = fill(0.1)
r = pare.FakeQuantize(w, scale)
y = MatMul(x, r)
output y
)");
  EXPECT_EQ(Masked(graph), std::vector<std::string>{"w"});
  EXPECT_EQ(graph.value(graph.producer_of(graph.FindValue("r"))->inputs[0]).name, "w_masked");
}

TEST(Masks, FoldToZeros) {
  Tensor weights = Tensor::Of<float>({4}, {1, 2, NAN, 3});
  FoldMask({.weight = {}, .moves = Tensor::Of<float>({4}, {1, 0, 0, 1})}, weights);
  EXPECT_EQ(std::vector<float>(weights.as<float>().begin(), weights.as<float>().end()),
            (std::vector<float>{1, 0, 0, 3}));
}

// Zeros stay; of the others, all but those of units that are silent on every sample have moved.
void ExpectSparseAndTrained(const Graph& before, const Graph& after) {
  EXPECT_EQ(graph::Print(before).find("pare."), std::string::npos);
  EXPECT_EQ(graph::Print(after).find("pare."), std::string::npos);
  for (const char* name : {"w1", "w2"}) {
    const auto old = Weights(before, name), now = Weights(after, name);
    size_t moved = 0, may = 0;
    for (size_t i = 0; i < old.size(); ++i) {
      EXPECT_TRUE(old[i] != 0 || now[i] == 0) << name << ' ' << i;
      may += old[i] != 0;
      moved += old[i] != now[i];
    }
    EXPECT_GE(moved, may * 3 / 4) << name;
  }
}

TEST(Masks, KeepZerosWithEveryOptimizer) {
  const Graph start = SparseClassifier();
  const std::function<void(TrainOptions&)> ways[] = {
      [](TrainOptions&) {},
      [](TrainOptions& o) {
        o.program.optimizer.weight_decay = 0.01f;
        o.program.optimizer.nesterov = true;
      },
      [](TrainOptions& o) {
        o.program.optimizer.kind = OptimizerKind::kAdamW;
        o.program.optimizer.weight_decay = 0.1f;
        o.schedule.rate = 0.01;
      },
      [](TrainOptions& o) { o.program.optimizer.ema = 0.9f; },
      [](TrainOptions& o) {
        o.program.parts = 2;
        o.program.optimizer.clip_norm = 0.5f;
      },
  };
  for (const auto& way : ways) {
    TrainOptions options = KeepingZeros();
    way(options);
    const auto trained = TrainOn(start, options);
    ASSERT_TRUE(trained) << trained.error().message();
    EXPECT_LT(trained->history.back().loss, 0.8 * trained->history.front().loss);
    ExpectSparseAndTrained(start, trained->graph);
  }
}

// What an optimizer remembers of a zero is 0, too; without masks it would move.
TEST(Masks, LeaveNothingInTheStates) {
  const Graph start = SparseClassifier();
  for (const bool keep : {true, false}) {
    LabelObjective objective;
    ProgramOptions options{.batch = 8, .parameters = {}, .keep_zeros = keep, .optimizer = {}};
    auto program = Program::Make(start, objective, model::Context::Make(1), options);
    ASSERT_TRUE(program) << program.error().message();
    EXPECT_EQ(program->masks().size(), keep ? 2u : 0u);
    Tensor rows = Tensor::Make(DType::kF32, {8, 2}).value();
    Random random(1);
    for (float& x : rows.mutable_as<float>()) x = random.Normal();
    const TrainBatch batch{
        .data = {.inputs = {rows}, .indices = {}, .labels = {0, 1, 2, 0, 1, 2, 0, 1}},
        .mixture = {}};
    for (int64_t step = 1; step < 4; ++step)
      ASSERT_TRUE(program->Run(batch, {.step = step, .rate = 0.1}));
    const auto zeros = Weights(start, "w2");
    bool all = true;
    for (const State& state : program->states()) {
      if (!state.name.ends_with("w2")) continue;
      for (size_t i = 0; i < zeros.size(); ++i)
        all = all && (zeros[i] != 0 || state.data.as<float>()[i] == 0);
    }
    EXPECT_EQ(all, keep);
  }
}

// The first step moves each weight that may as it would without masks.
TEST(Masks, LeaveTheOtherGradientsAlone) {
  const Graph start = SparseClassifier();
  TrainOptions options = KeepingZeros();
  options.steps = 1;
  const auto masked = TrainOn(start, options);
  options.program.keep_zeros = false;
  const auto free = TrainOn(start, options);
  ASSERT_TRUE(masked && free);
  for (const char* name : {"w1", "w2"}) {
    const auto old = Weights(start, name), a = Weights(masked->graph, name),
               b = Weights(free->graph, name);
    bool moved = false;
    for (size_t i = 0; i < old.size(); ++i) {
      EXPECT_TRUE(old[i] == 0 || a[i] == b[i]) << name << ' ' << i;
      moved = moved || (old[i] == 0 && b[i] != 0);
    }
    EXPECT_TRUE(moved) << "without masks zeros move";
  }
}

TEST(Masks, GoOnToTheSameBits) {
  const TestFolder folder;
  const Graph start = SparseClassifier();
  TrainOptions options = KeepingZeros();
  options.program.optimizer.ema = 0.9f;
  options.program.optimizer.weight_decay = 0.01f;
  const auto whole = TrainOn(start, options);
  ASSERT_TRUE(whole);
  options.checkpoint = folder / "run.npz";
  options.resume = true;
  ASSERT_FALSE(TrainOn(start, options, StopAfter(9)));
  const auto resumed = TrainOn(start, options);
  ASSERT_TRUE(resumed) << resumed.error().message();
  for (const char* name : {"w1", "b1", "w2", "b2"}) {
    const auto a = Weights(whole->graph, name), b = Weights(resumed->graph, name);
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin())) << name;
  }
  ExpectSparseAndTrained(start, resumed->graph);
  options.program.keep_zeros = false;
  const auto other = TrainOn(start, options);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message().find("--keep-zeros: the checkpoint was made with on"),
            std::string::npos)
      << other.error().message();
}

}  // namespace
}  // namespace pare::train
