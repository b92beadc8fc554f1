#include "compress/distill/objective.h"

#include "compress/distill/testing.h"

namespace pare::compress {
namespace {

graph::Graph Parsed(const std::string& last) {
  return GraphOf("input x: f32[N,4]\nconst w: f32[4,3] = random(1, -1, 1)\nh = MatMul(x, w)\n" +
                 last + "\noutput y\n");
}

float LossOfRows(const graph::Graph& student, const graph::Graph& teacher) {
  const auto loss = LossOf(student, teacher, {RowsOf({2, 4})});
  EXPECT_TRUE(loss) << loss.error().message();
  return loss.value_or(NAN);
}

std::string RefusalOf(const graph::Graph& student, const graph::Graph& teacher,
                      const DistillOptions& options, const Dims& input = {2, 4}) {
  const auto loss = LossOf(student, teacher, {RowsOf(input)}, options, true, {0, 0});
  EXPECT_FALSE(loss);
  return loss ? "" : loss.error().message();
}

// A Softmax at the end, of either or both, makes no other loss.
TEST(DistillObjective, ComparesWhatASoftmaxIsMadeFrom) {
  const graph::Graph bare = Parsed("y = Relu(h)"), soft = Parsed("r = Relu(h)\ny = Softmax(r)");
  const graph::Graph other = Parsed("y = Sigmoid(h)"),
                     soft_other = Parsed("r = Sigmoid(h)\ny = Softmax(r)");
  const float expected = LossOfRows(bare, other);
  EXPECT_GT(expected, 1e-3f);
  EXPECT_NEAR(LossOfRows(soft, other), expected, 1e-6f);
  EXPECT_NEAR(LossOfRows(bare, soft_other), expected, 1e-6f);
  EXPECT_NEAR(LossOfRows(soft, soft_other), expected, 1e-6f);
}

TEST(DistillObjective, RefusesOtherNumbersOfOutputs) {
  const graph::Graph one = Parsed("y = Relu(h)");
  const graph::Graph two = GraphOf(R"(
input x: f32[N,4]
const w: f32[4,3] = random(1, -1, 1)
h = MatMul(x, w)
y = Relu(h)
output y
output h
)");
  EXPECT_NE(RefusalOf(one, two, {}).find("the student has 1 outputs, the teacher 2"),
            std::string::npos);
  EXPECT_NE(RefusalOf(two, one, {}).find("the student has 2 outputs, the teacher 1"),
            std::string::npos);
  DistillOptions hints;
  hints.hints = {{"h", "h"}};  // is no output
  EXPECT_NE(RefusalOf(two, one, hints).find("the teacher 1"), std::string::npos);
}

// A picture whose pixels are classified: each of them counts as a sample of its own.
TEST(DistillObjective, ClassifiesEachPositionOfADenseOutput) {
  const auto dense = [](const char* activation) {
    return GraphOf(Text("input x: f32[N,4,1,2]\nconst w: f32[3,4,1,1] = random(1, -1, 1)\n",
                        "h = Conv(x, w)\ny = ", activation, "(h)\noutput y\n"));
  };
  const auto flat = [](const char* activation) {
    return GraphOf(Text("input x: f32[N,4,1,1]\nconst w: f32[3,4,1,1] = random(1, -1, 1)\n",
                        "h = Conv(x, w)\ny = ", activation, "(h)\noutput y\n"));
  };
  const Tensor pictures = RowsOf({2, 4, 1, 2});
  Tensor pixels = Tensor::Make(DType::kF32, {4, 4, 1, 1}).value();
  for (int n = 0; n < 2; ++n)
    for (int c = 0; c < 4; ++c)
      for (int p = 0; p < 2; ++p)
        pixels.mutable_as<float>()[(n * 2 + p) * 4 + c] = pictures.as<float>()[(n * 4 + c) * 2 + p];
  DistillOptions soft;
  soft.loss = DistillLoss::kSoft;
  const auto expected = LossOf(flat("Relu"), flat("Sigmoid"), {pixels}, soft);
  const auto loss = LossOf(dense("Relu"), dense("Sigmoid"), {pictures}, soft);
  ASSERT_TRUE(expected && loss);
  EXPECT_GT(*expected, 1e-3f);
  EXPECT_NEAR(*loss, *expected, 1e-6f);
}

graph::Graph Tokens(const std::string& last, int hidden = 6) {
  return GraphOf(Text("input x: f32[N,5,4]\nconst w: f32[4,", hidden, "] = random(1, -1, 1)\n",
                      "const v: f32[", hidden, ",3] = random(2, -1, 1)\n",
                      "h = MatMul(x, w)\nr = Relu(h)\nl = MatMul(r, v)\n", last, "\noutput y\n"));
}

// [batch, a, b] may have its classes along either axis: a Softmax tells.
TEST(DistillObjective, AsksASoftmaxWhereTokensHaveTheirClasses) {
  DistillOptions soft;
  soft.loss = DistillLoss::kSoft;
  const graph::Graph bare = Tokens("y = Neg(l)"), last = Tokens("r2 = Neg(l)\ny = Softmax(r2)"),
                     second = Tokens("r2 = Neg(l)\ny = Softmax(r2) {axis=1}");
  const graph::Graph other = Tokens("y = Tanh(l)");
  EXPECT_NE(RefusalOf(bare, other, soft, {2, 5, 4}).find("--loss mse"), std::string::npos);
  const Tensor rows = RowsOf({2, 5, 4});
  const auto own = LossOf(last, other, {rows}, soft), teachers = LossOf(other, last, {rows}, soft);
  const auto along_tokens = LossOf(second, other, {rows}, soft);
  ASSERT_TRUE(own && teachers && along_tokens);
  EXPECT_GT(*own, 1e-3f);
  EXPECT_NE(*own, *along_tokens);
  EXPECT_NE(RefusalOf(last, second, soft, {2, 5, 4}).find("axis 2, the teacher's along 1"),
            std::string::npos);
}

TEST(DistillObjective, RefusesSoftScoresOfOneClass) {
  DistillOptions soft;
  soft.loss = DistillLoss::kSoft;
  const graph::Graph one = GraphOf(R"(
input x: f32[N,4]
const w: f32[4,1] = random(1, -1, 1)
y = MatMul(x, w)
output y
)");
  EXPECT_NE(RefusalOf(one, one, soft).find("--loss mse"), std::string::npos);
}

TEST(DistillObjective, TakesLabelsForClassifiersAlone) {
  DistillOptions labels, both;
  labels.alpha = both.alpha = 0.5f;
  both.loss = DistillLoss::kMse;
  const graph::Graph teacher = Parsed("y = Relu(h)");
  for (const char* last : {"s = Reshape(h, shape)\ny = Relu(s)",
                           "m = ReduceMean(h, axes) {keepdims=0}\ny = Relu(m)"}) {
    const graph::Graph student = GraphOf(
        Text("input x: f32[N,4]\nconst w: f32[4,3] = random(1, -1, 1)\nh = MatMul(x, w)\n",
             "const shape: i64[4] = [0,1,1,3]\nconst axes: i64[1] = [1]\n", last, "\noutput y\n"));
    const std::string refusal = RefusalOf(student, student, both);
    EXPECT_NE(refusal.find("no classifier's"), std::string::npos) << last << '\n' << refusal;
  }
  const graph::Graph dense = GraphOf(R"(
input x: f32[N,3,2,2]
const w: f32[3,3,1,1] = random(1, -1, 1)
y = Conv(x, w)
output y
)");
  EXPECT_NE(RefusalOf(dense, dense, both, {2, 3, 2, 2}).find("no classifier's"), std::string::npos);
  // Behind a view the classes are the output's own.
  const graph::Graph viewed = GraphOf(R"(
input x: f32[N,4]
const w: f32[4,3] = random(1, -1, 1)
const flat: i64[2] = [0,-1]
const image: i64[4] = [0,1,1,3]
h = MatMul(x, w)
i = Reshape(h, image)
p = Softmax(i)
y = Reshape(p, flat)
output y
)");
  const std::vector<int64_t> classes{2, 1};
  const auto plain =
      LossOf(Parsed("y = Softmax(h)"), teacher, {RowsOf({2, 4})}, labels, true, classes);
  const auto behind = LossOf(viewed, teacher, {RowsOf({2, 4})}, labels, true, classes);
  ASSERT_TRUE(plain && behind) << behind.error().message();
  EXPECT_NEAR(*behind, *plain, 1e-6f);
}

// Channels of [batch, tokens, hidden] are the last axis.
TEST(DistillObjective, ProjectsTheHiddenAxisOfTokens) {
  DistillOptions hints;
  hints.hints = {{"r", "r"}};
  const auto loss =
      LossOf(Tokens("y = Neg(l)", 4), Tokens("y = Neg(l)", 8), {RowsOf({2, 5, 4})}, hints, false);
  ASSERT_TRUE(loss) << loss.error().message();
  EXPECT_TRUE(std::isfinite(*loss));
  DistillOptions attention;
  attention.attention = {{"r", "r"}};
  const graph::Graph same = Tokens("y = Neg(l)");
  EXPECT_EQ(LossOf(same, same, {RowsOf({2, 5, 4})}, attention, false).value(), 0);
  EXPECT_GT(LossOf(Tokens("y = Neg(l)", 4), Tokens("y = Neg(l)", 8), {RowsOf({2, 5, 4})}, attention,
                   false)
                .value(),
            1e-4f);
}

TEST(DistillObjective, WantsPositionsForAttention) {
  DistillOptions attention;
  attention.attention = {{"h", "h"}};
  const graph::Graph flat = Parsed("y = Relu(h)");
  EXPECT_NE(RefusalOf(flat, flat, attention).find("needs positions"), std::string::npos);
}

TEST(DistillObjective, NamesLayersThatAreNear) {
  DistillOptions hints;
  hints.hints = {{"hh", "h"}};
  const graph::Graph net = Parsed("y = Relu(h)");
  EXPECT_NE(RefusalOf(net, net, hints).find("no layer \"hh\"\n      near are \"h\""),
            std::string::npos)
      << RefusalOf(net, net, hints);
  hints.hints = {{"h", "hh"}};
  EXPECT_NE(
      RefusalOf(net, net, hints).find("the teacher has no layer \"hh\"\n      near are \"h\""),
      std::string::npos);
}

TEST(DistillObjective, IsAnotherWithOtherOptions) {
  const auto identity = [](const DistillOptions& options) {
    std::vector<Teacher> teachers;
    teachers.push_back(Teacher::Make(Parsed("y = Relu(h)"), {}, OneThread(), {}).value());
    return DistillObjective(std::move(teachers), true, options).Identity();
  };
  const std::string plain = identity({});
  EXPECT_EQ(identity({}), plain);
  using Change = void (*)(DistillOptions&);
  const Change changes[] = {
      [](DistillOptions& o) { o.loss = DistillLoss::kMse; },
      [](DistillOptions& o) { o.temperature = 2; },
      [](DistillOptions& o) { o.alpha = 0.5f; },
      [](DistillOptions& o) { o.smoothing = 0.1f; },
      [](DistillOptions& o) { o.hints = {{"h", "h"}}; },
      [](DistillOptions& o) { o.attention = {{"h", "h"}}; },
      [](DistillOptions& o) { o.relation_weight = 1; },
  };
  for (const Change change : changes) {
    DistillOptions options;
    change(options);
    EXPECT_NE(identity(options), plain);
  }
}

}  // namespace
}  // namespace pare::compress
