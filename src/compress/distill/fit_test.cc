#include "compress/distill/fit.h"

#include "compress/distill/testing.h"

namespace pare::compress {
namespace {

graph::Graph Answering(const std::string& outputs) {
  return GraphOf("input x: f32[N,4]\ninput z: f32[N,2,2]\na = Relu(x)\nb = Relu(z)\n" + outputs);
}

TEST(Fit, MatchesOutputsByName) {
  const graph::Graph student = Answering("output b\n");
  graph::Graph teacher = Answering("output a\noutput b\n");
  ASSERT_TRUE(MatchOutputs(student, teacher));
  ASSERT_EQ(teacher.outputs().size(), 1);
  EXPECT_EQ(teacher.outputs()[0].name, "b");
  EXPECT_EQ(teacher.value(teacher.outputs()[0].value).name, "b");

  graph::Graph turned = Answering("output b\noutput a\n");
  ASSERT_TRUE(MatchOutputs(Answering("output a\noutput b\n"), turned));
  EXPECT_EQ(turned.outputs()[0].name, "a");

  graph::Graph other = Answering("output a\n");  // no "b": by place, and as many values
  ASSERT_TRUE(MatchOutputs(student, other));
  EXPECT_EQ(other.outputs()[0].name, "a");
}

TEST(Fit, ListsTheOutputsThatDiffer) {
  graph::Graph one = Answering("output a\n"), two = Answering("output a\noutput b\n");
  const Status refused = MatchOutputs(two, one);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kUsage);
  EXPECT_EQ(refused.error().reason(),
            "the teacher has 1 output (\"a\" f32[N,4]), the student 2 outputs "
            "(\"a\" f32[N,4], \"b\" f32[N,2,2])");
  EXPECT_FALSE(MatchOutputs(GraphOf("input x: f32[N,5]\na = Relu(x)\noutput a\n"), one));
}

class SharedPreprocessing : public ::testing::Test {
 protected:
  // A model whose file knows of a mean; none where it is empty.
  PreparedModel Knowing(const std::string& name, const std::string& mean) {
    graphs_.push_back(std::make_unique<graph::Graph>());
    data::Preprocess preprocess;
    if (!mean.empty()) {
      EXPECT_TRUE(preprocess.Set("mean", mean));
      preprocess.WriteTo(graphs_.back()->metadata);
    }
    return {name, *graphs_.back(), preprocess};
  }
  Result<data::Preprocess> Shared(const std::vector<std::string>& means) {
    std::vector<PreparedModel> models;
    for (size_t i = 0; i < means.size(); ++i) models.push_back(Knowing(Text("m", i), means[i]));
    return SharedPreprocess(models);
  }

  std::vector<std::unique_ptr<graph::Graph>> graphs_;
};

TEST_F(SharedPreprocessing, IsWhatAnyModelKnows) {
  EXPECT_EQ(Shared({"", "0.5"})->mean[0], 0.5f);
  EXPECT_EQ(Shared({"0.25", ""})->mean[0], 0.25f);
  EXPECT_EQ(Shared({"0.5", "0.5", ""})->mean[0], 0.5f);
  EXPECT_EQ(Shared({"", ""})->mean[0], 0);
}

TEST_F(SharedPreprocessing, IsRefusedWhereTwoKnowOtherThings) {
  const auto refused = Shared({"0.25", "", "0.5"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason().find(
                "the models were made for different preprocessing: mean is 0.25"),
            0u)
      << refused.error().message();
  EXPECT_NE(refused.error().reason().find("in m0 and 0.5"), std::string::npos);
}

// One file says what the other's shape says.
TEST_F(SharedPreprocessing, TakesACropThatOneLeavesToTheModel) {
  std::vector<PreparedModel> models{};
  models.push_back(Knowing("a", "0.5"));
  models.push_back(Knowing("b", "0.5"));
  ASSERT_TRUE(models[1].preprocess.Set("crop", "32"));
  EXPECT_TRUE(SharedPreprocess(models));
}

}  // namespace
}  // namespace pare::compress
