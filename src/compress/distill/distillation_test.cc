#include "compress/distill/distillation.h"

#include "base/test_progress.h"
#include "compress/distill/testing.h"
#include "data/dataset.h"

namespace pare::compress {
namespace {

graph::Graph Net(std::string_view weight, std::string_view outputs = "output y\n") {
  return GraphOf(Text("input x: f32[N,2]\nconst w: f32[2,3] = [", weight, ",2,3,4,5,6]\n",
                      "y = MatMul(x, w)\nz = Neg(y)\n", outputs));
}

class Distilling : public ::testing::Test {
 protected:
  Distilling() {
    validation_.dataset = data::DatasetOf({{"x", RowsOf({12, 2})}}, {}).value();
    validation_.indices = {0, 1, 2, 3};
    validation_.batch = run_.program.batch = 4;
  }

  Result<Distillation> Made(const graph::Graph& student, const graph::Graph& teacher,
                            const DistillOptions& loss = {}) {
    PARE_ASSIGN(const MatchedTeacher matched,
                MatchTeacher(student, teacher, "teacher.onnx", notes_));
    return MakeDistillation({.student = student,
                             .teachers = {&matched, 1},
                             .loss = loss,
                             .training = training_,
                             .validation = validation_,
                             .run = run_},
                            OneThread(), notes_);
  }

  Validation validation_;
  const std::vector<int64_t> training_{4, 5, 6, 7, 8, 9, 10, 11};
  train::TrainOptions run_;
  NotesHeard notes_;
};

TEST_F(Distilling, ScoresByWhatIsMinimised) {
  const auto guessed = Made(Net("1"), Net("0"));
  ASSERT_TRUE(guessed) << guessed.error().message();
  EXPECT_EQ(guessed->likeness, Likeness::kAgreement);
  EXPECT_TRUE(notes_.Tell("taken for the scores of 3 classes (--loss soft)")) << notes_.all();
  const auto scored = guessed->score(Net("0"));
  ASSERT_TRUE(scored) << scored.error().message();
  EXPECT_EQ(scored->score, 100);
  EXPECT_FALSE(guessed->values);
  graph::Graph values = Net("0");
  values.metadata[kOutputsKey] = "values";
  EXPECT_TRUE(Made(Net("1"), values)->values);
}

TEST_F(Distilling, TellsTheLossOfSeveralOutputs) {
  const auto two = [](const char* weight) { return Net(weight, "output y\noutput z\n"); };
  ASSERT_TRUE(Made(two("1"), two("0")));
  EXPECT_TRUE(notes_.Tell("2 outputs (\"y\", \"z\") is learned as values")) << notes_.all();
  EXPECT_TRUE(notes_.Tell("give --loss soft")) << notes_.all();
}

TEST_F(Distilling, NamesATeacherWhoseAnswersAreNoNumbers) {
  const auto bad = Made(Net("1"), Net("nan"));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().kind(), ErrorKind::kInvalid);
  const std::string message = bad.error().message();
  EXPECT_TRUE(message.starts_with(
      "teacher.onnx: the teacher's output \"y\" is not finite for 4 of the first 4 samples"))
      << message;
  EXPECT_NE(message.find("the constant \"w\" holds NaN"), std::string::npos) << message;
  EXPECT_TRUE(Made(Net("nan"), Net("1"))) << "a student may hold what it likes";
  run_.ends_where_not_finite = true;
  EXPECT_TRUE(Made(Net("1"), Net("nan")));
  EXPECT_TRUE(notes_.Tell("the teacher's output \"y\" is not finite")) << notes_.all();
}

// The features of a layer are learned as well.
TEST_F(Distilling, NamesTheLayerWhoseFeaturesAreNoNumbers) {
  const graph::Graph sums = GraphOf(
      "input x: f32[N,2]\nconst w: f32[2,3] = random(1, -1, 1)\nh = MatMul(x, w)\n"
      "l = Log(h)\ny = Neg(h)\noutput y\n");
  DistillOptions loss;
  loss.hints = {{"y", "l"}};
  const auto bad = Made(Net("1"), sums, loss);
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message().find("the teacher's layer \"l\" is not finite"),
            std::string::npos)
      << bad.error().message();
}

}  // namespace
}  // namespace pare::compress
