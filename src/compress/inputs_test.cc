#include "compress/inputs.h"

#include <gtest/gtest.h>

#include "graph/text.h"

namespace pare::compress {
namespace {

graph::Graph Inputs(const std::string& inputs) {
  auto graph = graph::Parse(inputs + "const one: f32[1] = [1]\noutput one\n");
  EXPECT_TRUE(graph) << graph.error().message();
  return *graph;
}

const graph::Graph& Fed() {
  static const graph::Graph graph = Inputs("input a: f32[N,2]\ninput b: f32[N,2]\n");
  return graph;
}

TEST(SharedInputs, AreMatchedByNameWhateverTheirOrder) {
  const auto shared = MatchInputs(Fed(), Inputs("input b: f32[N,2]\ninput a: f32[M,2]\n"));
  ASSERT_TRUE(shared) << shared.error().message();
  EXPECT_TRUE(shared->note.empty());
  const Tensor inputs[] = {Tensor::Of<float>({1, 2}, {1, 2}), Tensor::Of<float>({1, 2}, {3, 4})};
  const auto other = shared->Of(inputs);
  ASSERT_TRUE(other);
  EXPECT_TRUE(graph::SameTensor(other->at(0), inputs[1]));
  EXPECT_TRUE(graph::SameTensor(other->at(1), inputs[0]));
}

TEST(SharedInputs, OfOtherNamesAreMatchedByPlaceAndItIsSaid) {
  const auto shared = MatchInputs(Fed(), Inputs("input b: f32[N,2]\ninput c: f32[N,2]\n"));
  ASSERT_TRUE(shared) << shared.error().message();
  EXPECT_EQ(shared->places, (std::vector<size_t>{0, 1}));
  EXPECT_NE(shared->note.find("\"a\" is \"b\", \"b\" is \"c\""), std::string::npos) << shared->note;
  // One input is the other one, whatever they are called.
  const auto one = MatchInputs(Inputs("input a: f32[N,2]\n"), Inputs("input z: f32[N,2]\n"));
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->note.empty());
}

TEST(SharedInputs, TakeOtherFloatTypesByACast) {
  const auto shared = MatchInputs(Fed(), Inputs("input a: f32[N,2]\ninput b: f16[N,2]\n"));
  ASSERT_TRUE(shared) << shared.error().message();
  const Tensor x = Tensor::Of<float>({1, 2}, {1, 2});
  EXPECT_EQ(shared->Of(std::vector{x, x})->at(1).dtype(), DType::kF16);
}

TEST(SharedInputs, RefuseWhatIsNotTheSame) {
  for (const char* other :
       {"input a: f32[N,2]\n", "input a: f32[N,2]\ninput b: f32[N,3]\n",
        "input a: f32[N,2]\ninput b: i64[N,2]\n", "input c: f32[N,2]\ninput d: f32[N,2,1]\n"}) {
    const auto shared = MatchInputs(Fed(), Inputs(other));
    ASSERT_FALSE(shared) << other;
    EXPECT_EQ(shared.error().kind(), ErrorKind::kUsage);
  }
}

}  // namespace
}  // namespace pare::compress
