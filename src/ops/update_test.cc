#include <cmath>

#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Attrs;

Tensor Number(float x) { return Tensor::Scalar(x); }
Tensor Zeros(const Tensor& like) { return Tensor::Zeros(DType::kF32, like.shape()).value(); }
double At(const Tensor& t, int64_t i) { return double{t.as<float>()[i]}; }

constexpr double kRate = 0.125, kScale = 0.5, kDecay = 0.25;
const Dims kShape{5, 7};

Tensor Gradient(int step) { return RandomTensor(kShape, 10 + static_cast<uint32_t>(step)); }

// torch.optim.SGD, in double, element i after `steps` steps.
double Sgd(const Tensor& start, int64_t i, int steps, double momentum, bool nesterov) {
  double p = At(start, i), buffer = 0;
  for (int step = 1; step <= steps; ++step) {
    double g = At(Gradient(step), i) * kScale + kDecay * p;
    buffer = step == 1 ? g : momentum * buffer + g;
    if (momentum != 0) g = nesterov ? g + momentum * buffer : buffer;
    p -= kRate * g;
  }
  return p;
}

TEST(Sgd, IsPyTorchs) {
  const Tensor start = RandomTensor(kShape, 1);
  for (const double momentum : {0.0, 0.75}) {
    for (const bool nesterov : {false, true}) {
      Tensor p = start, buffer = momentum != 0 ? Zeros(start) : Tensor();
      for (int step = 1; step <= 3; ++step) {
        const auto next =
            RunNode("pare.Sgd", {p, Gradient(step), buffer, Number(kRate), Number(kScale)},
                    {{"momentum", static_cast<float>(momentum)},
                     {"nesterov", int64_t{nesterov}},
                     {"weight_decay", static_cast<float>(kDecay)}},
                    momentum != 0 ? 2 : 1);
        ASSERT_TRUE(next) << next.error().message();
        p = (*next)[0];
        if (buffer) buffer = (*next)[1];
        for (int64_t i = 0; i < p.count(); ++i)
          ASSERT_NEAR(At(p, i), Sgd(start, i, step, momentum, nesterov), 1e-6);
      }
    }
  }
}

// torch.optim.AdamW, in double.
double AdamW(const Tensor& start, int64_t i, int steps) {
  double p = At(start, i), m = 0, v = 0;
  for (int step = 1; step <= steps; ++step) {
    const double g = At(Gradient(step), i) * kScale;
    p -= kRate * kDecay * p;
    m = 0.75 * m + 0.25 * g;
    v = 0.875 * v + 0.125 * g * g;
    const double m_hat = m / (1 - std::pow(0.75, step)), v_hat = v / (1 - std::pow(0.875, step));
    p -= kRate * m_hat / (std::sqrt(v_hat) + 0.01);
  }
  return p;
}

TEST(AdamW, IsPyTorchs) {
  const Tensor start = RandomTensor(kShape, 1);
  std::vector<Tensor> states{start, Zeros(start), Zeros(start)};
  for (int step = 1; step <= 4; ++step) {
    const auto next = RunNode("pare.AdamW",
                              {states[0], Gradient(step), states[1], states[2], Number(kRate),
                               Number(kScale), Number(static_cast<float>(step))},
                              {{"beta1", 0.75f},
                               {"beta2", 0.875f},
                               {"epsilon", 0.01f},
                               {"weight_decay", static_cast<float>(kDecay)}},
                              3);
    ASSERT_TRUE(next) << next.error().message();
    states = *next;
    for (int64_t i = 0; i < start.count(); ++i)
      ASSERT_NEAR(At(states[0], i), AdamW(start, i, step), 2e-6);
  }
}

TEST(InputSet, HoldsTheFirst32) {
  InputSet set = {0, 31};
  set.Add(32);
  set.Add(64);
  EXPECT_EQ(set, (InputSet{0, 31}));
  EXPECT_TRUE(set.Has(0) && set.Has(31));
  EXPECT_FALSE(set.Has(1) || set.Has(32) || set.Has(63) || set.Has(64));
}

// What the record lets the plan write in place, by output.
std::array<InputSet, kMaxSlots> InPlace(const std::string& op, int inputs, int states, int outputs,
                                        Attrs attrs) {
  graph::Graph graph;
  std::vector<graph::ValueId> ids;
  for (int i = 0; i < inputs; ++i) {
    const Tensor data = i < states ? RandomTensor({3}, 1) : Number(1);
    ids.push_back(graph.AddConstant(Text("x", i), data, graph::ValueKind::kState));
  }
  const auto node =
      graph.AddNode(op, ids, std::vector<std::string>(static_cast<size_t>(outputs)), attrs);
  EXPECT_TRUE(InferTypes(graph));
  PackCache packs;
  const auto prepared = Prepare(graph, graph.node(node), DetectCpu(), packs);
  EXPECT_TRUE(prepared) << prepared.error().message();
  return prepared ? prepared->in_place_inputs : std::array<InputSet, kMaxSlots>{};
}

TEST(Updates, AreInPlace) {
  const auto sgd = InPlace("pare.Sgd", 5, 3, 2, {{"momentum", 0.5f}});
  EXPECT_EQ(sgd[0], (InputSet{0}));
  EXPECT_EQ(sgd[1], (InputSet{2}));
  const auto adamw = InPlace("pare.AdamW", 7, 4, 3, {});
  EXPECT_EQ(adamw[0], (InputSet{0}));
  EXPECT_EQ(adamw[1], (InputSet{2}));
  EXPECT_EQ(adamw[2], (InputSet{3}));
}

TEST(Updates, RefuseWhatContradicts) {
  const Tensor p = RandomTensor({3}, 1), one = Number(1);
  EXPECT_TRUE(RunNode("pare.Sgd", {p, p, {}, one, one}));
  EXPECT_FALSE(RunNode("pare.Sgd", {p, p, {}, one, one}, {{"momentum", 0.5f}}));
  EXPECT_TRUE(RunNode("pare.Sgd", {p, p, p, one, one}, {}, 2));
  EXPECT_FALSE(RunNode("pare.Sgd", {p, p, p, one, one}));
  EXPECT_FALSE(RunNode("pare.Sgd", {p, one, {}, one, one}));
  EXPECT_FALSE(RunNode("pare.AdamW", {p, p, p, p, p, one, one}, {}, 3));
}

// A step whose loss or gradient is not finite is not made.
TEST(Update, LeavesEverythingWhereTheScaleIsNotFinite) {
  const Tensor p = RandomTensor(kShape, 1), a = RandomTensor(kShape, 2),
               b = RandomTensor(kShape, 3);
  for (const float scale : {NAN, INFINITY}) {
    const auto sgd = RunNode("pare.Sgd", {p, Gradient(1), a, Number(kRate), Number(scale)},
                             {{"momentum", 0.75f}}, 2);
    ASSERT_TRUE(sgd) << sgd.error().message();
    ExpectSame((*sgd)[0], p);
    ExpectSame((*sgd)[1], a);
    const auto adamw = RunNode(
        "pare.AdamW", {p, Gradient(1), a, b, Number(kRate), Number(scale), Number(1)}, {}, 3);
    ASSERT_TRUE(adamw) << adamw.error().message();
    ExpectSame((*adamw)[0], p);
    ExpectSame((*adamw)[1], a);
    ExpectSame((*adamw)[2], b);
  }
}

}  // namespace
}  // namespace pare::ops
