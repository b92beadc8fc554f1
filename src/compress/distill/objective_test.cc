#include "compress/distill/objective.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "graph/text.h"
#include "ops/emit.h"
#include "platform/test_folder.h"
#include "train/program.h"

namespace pare::compress {
namespace {

graph::Graph Parsed(const std::string& last) {
  auto graph = graph::Parse(R"(
input x: f32[N,4]
const w: f32[4,3] = random(1, -1, 1)
h = MatMul(x, w)
)" + last + "\noutput y\n");
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(ops::InferTypes(*graph));
  return *graph;
}

const model::Context& OneThread() {
  static const model::Context context = model::Context::Make(1);
  return context;
}

Teacher TeacherOf(const graph::Graph& graph, bool logits = false) {
  return Teacher::Make(graph, {.hints = {}, .logits = logits}, OneThread(), 1 << 20).value();
}

Tensor SomeRows() { return Tensor::Of<float>({2, 4}, {1, 2, 3, 4, -4, 3, -2, 1}); }

// The loss of a student by a teacher, before the first step.
float LossOf(const graph::Graph& student, const graph::Graph& teacher) {
  std::vector<Teacher> teachers;
  const DistillOptions options;
  const auto questions = DistillObjective::QuestionsFor(options, true, true);
  teachers.push_back(Teacher::Make(teacher, questions, OneThread(), 0).value());
  DistillObjective objective(std::move(teachers), true, options);
  train::ProgramOptions program_options;
  program_options.batch = 2;
  auto program = train::Program::Make(student, objective, OneThread(), program_options);
  EXPECT_TRUE(program) << program.error().message();
  train::TrainBatch batch;
  batch.data.inputs = {SomeRows()};
  return program->Run(batch, {.step = 1, .rate = 0})->loss;
}

// A Softmax at the end, of either or both, makes no other loss.
TEST(DistillObjective, ComparesWhatASoftmaxIsMadeFrom) {
  const graph::Graph bare = Parsed("y = Relu(h)"), soft = Parsed("r = Relu(h)\ny = Softmax(r)");
  const graph::Graph other = Parsed("y = Sigmoid(h)"),
                     soft_other = Parsed("r = Sigmoid(h)\ny = Softmax(r)");
  const float expected = LossOf(bare, other);
  EXPECT_GT(expected, 1e-3f);
  EXPECT_NEAR(LossOf(soft, other), expected, 1e-6f);
  EXPECT_NEAR(LossOf(bare, soft_other), expected, 1e-6f);
  EXPECT_NEAR(LossOf(soft, soft_other), expected, 1e-6f);
}

// Weights and names alone don't make a teacher.
TEST(Teacher, IsKnownByItsOperatorsToo) {
  const TestFolder folder;
  Teacher first = TeacherOf(Parsed("y = LeakyRelu(h) {alpha=0.1}"));
  const auto answers = first.Answer({SomeRows()});
  ASSERT_TRUE(answers);
  ASSERT_TRUE(first.SaveCache(folder / "cache.npz"));
  for (const char* last : {"y = LeakyRelu(h) {alpha=0.5}", "y = Relu(h)", "y = Neg(h)"}) {
    Teacher other = TeacherOf(Parsed(last)), fresh = TeacherOf(Parsed(last));
    ASSERT_TRUE(other.LoadCache(folder / "cache.npz"));
    EXPECT_NE(other.identity(), first.identity());
    EXPECT_TRUE(
        graph::SameTensor(other.Answer({SomeRows()})->at(0), fresh.Answer({SomeRows()})->at(0)))
        << last;
  }
  Teacher same = TeacherOf(Parsed("y = LeakyRelu(h) {alpha=0.1}"));
  EXPECT_EQ(same.identity(), first.identity());
}

TEST(DistillObjective, IsAnotherWithOtherOptions) {
  const auto identity = [](const DistillOptions& options) {
    std::vector<Teacher> teachers;
    teachers.push_back(TeacherOf(Parsed("y = Relu(h)")));
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
