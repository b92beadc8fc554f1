#include "cli/inputs.h"

#include <gtest/gtest.h>

#include "data/npy.h"
#include "graph/text.h"
#include "platform/test_folder.h"

namespace pare::cli {
namespace {

graph::Graph TwoInputs() {
  return graph::Parse(R"(input ids: i64[N,T]
input "a=b": f32[N,T,8]
input attention_mask: i64[N,T]
output ids
)")
      .value();
}

TEST(ResolveShapes, CarriesSymbolsOver) {
  const graph::Graph graph = TwoInputs();
  const Dims wide = {2, 5};
  for (const std::vector<std::string>& given : {std::vector<std::string>{"ids=2x5"},
                                                {"T=5", "N=2"},
                                                {"a=b=2x5x8"},
                                                {"ids=2x5", "a=b=2x5x8"}}) {
    const auto shapes = ResolveShapes(graph, given, 1);
    ASSERT_TRUE(shapes) << shapes.error().message();
    EXPECT_EQ(*shapes, (std::vector<Dims>{wide, {2, 5, 8}, wide}));
  }
  EXPECT_EQ(ResolveShapes(graph, {"T=5"}, 3)->at(2), (Dims{3, 5}));
}

TEST(ResolveShapes, SaysWhatIsWrong) {
  const graph::Graph graph = TwoInputs();
  const struct {
    std::vector<std::string> given;
    std::string_view message;
  } kCases[] = {
      {{}, "dimension 1 of the input \"ids\" (i64[N,T]) is free"},
      {{"ids=2x"}, "sizes are whole numbers"},
      {{"x=1"}, "no input or symbol of that name"},
      {{"2x5"}, "no input or symbol of that name"},
      {{"ids=2x5x1"}, "does not fit that"},
      {{"a=b=1x2x9"}, "does not fit that"},
      {{"ids=2x5", "a=b=2x6x8"}, "\"T\" would be 5 and 6"},
  };
  for (const auto& [given, message] : kCases) {
    const auto shapes = ResolveShapes(graph, given, 1);
    ASSERT_FALSE(shapes) << message;
    EXPECT_NE(shapes.error().message().find(message), std::string::npos)
        << shapes.error().message();
  }
}

TEST(MakeInputs, AreTheSameForTheSameSeed) {
  const graph::Graph graph = TwoInputs();
  const std::vector<Dims> shapes = ResolveShapes(graph, {"ids=2x5"}, 1).value();
  const auto a = MakeInputs(graph, shapes, 1).value(), b = MakeInputs(graph, shapes, 1).value();
  EXPECT_TRUE(graph::SameTensor(a[1], b[1]));
  EXPECT_FALSE(graph::SameTensor(a[1], MakeInputs(graph, shapes, 2).value()[1]));
  for (const float x : a[1].as<float>()) EXPECT_TRUE(x >= -1 && x < 1);
  EXPECT_EQ(a[0].as<int64_t>()[9], 0);
  EXPECT_EQ(a[2].as<int64_t>()[9], 1);  // a mask
}

class ReadInputsTest : public ::testing::Test {
 protected:
  std::string Save(const std::string& name, const Tensor& tensor) {
    EXPECT_TRUE(data::SaveNpy(folder_ / name, tensor));
    return folder_ / name;
  }
  Result<std::vector<Tensor>> Read(const std::vector<std::string>& given,
                                   CastInputs cast = CastInputs::kNo) {
    return ReadInputs(graph_, given, cast, notes_);
  }

  const graph::Graph graph_ =
      graph::Parse("input x: f32[N,2]\ninput \"a=b\": i64[N]\noutput x\n").value();
  TestFolder folder_;
  struct Notes : SilentProgress {
    void Note(std::string_view text) override { all += text; }
    std::string all;
  } notes_;
};

TEST_F(ReadInputsTest, MatchesByName) {
  const std::string x = Save("x.npy", Tensor::Of<float>({1, 2}, {1, 2}));
  const std::string i = Save("i=i.npy", Tensor::Of<int64_t>({1}, {3}));
  const auto read = Read({"a=b=" + i, "x=" + x});
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ((*read)[0].as<float>()[1], 2);
  EXPECT_EQ((*read)[1].as<int64_t>()[0], 3);
  const std::string both = folder_ / "both.npz";
  ASSERT_TRUE(data::SaveNpz(both, {{"a=b", (*read)[1]}, {"x", (*read)[0]}}));
  const auto unpacked = Read({both});
  ASSERT_TRUE(unpacked) << unpacked.error().message();
  EXPECT_TRUE(graph::SameTensor((*unpacked)[0], (*read)[0]));
  EXPECT_EQ(notes_.all, "");
}

TEST_F(ReadInputsTest, LeavesOutArraysThatNoInputTakes) {
  const Tensor x = Tensor::Of<float>({1, 2}, {1, 2}), label = Tensor::Of<int64_t>({1}, {3});
  const std::string both = folder_ / "both.npz", odd = folder_ / "odd.npz";
  ASSERT_TRUE(data::SaveNpz(both, {{"x", x}, {"a=b", label}, {"label", label}}));
  ASSERT_TRUE(Read({both}));
  EXPECT_NE(notes_.all.find("no input takes the arrays \"label\""), std::string::npos)
      << notes_.all;
  ASSERT_TRUE(data::SaveNpz(odd, {{"p", x}, {"q", x}}));
  const auto none = Read({odd});
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message().find("the model has no input \"p\""), std::string::npos);
}

TEST_F(ReadInputsTest, CastsWhereAsked) {
  const std::string x = Save("x.npy", Tensor::Of<double>({1, 2}, {1, 2}));
  const std::string i = Save("i.npy", Tensor::Of<int32_t>({1}, {3}));
  const auto read = Read({"x=" + x, "a=b=" + i}, CastInputs::kYes);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ((*read)[0].as<float>()[0], 1);
  EXPECT_EQ((*read)[1].as<int64_t>()[0], 3);
}

TEST_F(ReadInputsTest, SaysWhatIsWrong) {
  const std::string x = Save("x.npy", Tensor::Of<float>({1, 2}, {1, 2}));
  const std::string wide = Save("wide.npy", Tensor::Of<float>({1, 3}, {1, 2, 3}));
  const std::string flat = Save("flat.npy", Tensor::Of<float>({2}, {1, 2}));
  const std::string doubles = Save("doubles.npy", Tensor::Of<double>({1, 2}, {1, 2}));
  const struct {
    std::vector<std::string> given;
    std::string_view message;
  } kCases[] = {
      {{}, "nothing is given for the input \"x\" (f32[N,2])"},
      {{x}, "which input is it for?"},
      {{"y=" + x}, "the model has no input \"y\""},
      {{"x=" + x, "x=" + x}, "the input \"x\" is given twice"},
      {{"x=" + wide}, "is f32[N,2], and the file holds f32[1,3]"},
      {{"x=" + flat}, "the batch dimension seems to be missing"},
      {{"x=" + doubles}, "--cast converts f64 to f32"},
      {{"x=" + (folder_ / "none.npy")}, "none.npy"},
  };
  for (const auto& [given, message] : kCases) {
    const auto read = Read(given);
    ASSERT_FALSE(read) << message;
    EXPECT_NE(read.error().message().find(message), std::string::npos) << read.error().message();
  }
}

}  // namespace
}  // namespace pare::cli
