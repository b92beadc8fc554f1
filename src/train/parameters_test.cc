#include "train/parameters.h"

#include <gtest/gtest.h>

#include <limits>

#include "train/parameter_notes.h"
#include "train/testing.h"

namespace pare::train {
namespace {

using graph::Graph;

Graph Parsed(std::string_view text) {
  auto graph = graph::Parse(text);
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(ops::InferTypes(*graph));
  return *graph;
}

std::vector<std::string> NamesOf(const Graph& graph, const std::vector<graph::ValueId>& ids) {
  std::vector<std::string> names;
  for (const graph::ValueId id : ids) names.push_back(graph.value(id).name);
  return names;
}

std::vector<std::string> Found(const Graph& graph, const ParameterOptions& options = {}) {
  const auto ids = FindParameters(graph, options);
  EXPECT_TRUE(ids) << ids.error().message();
  return ids ? NamesOf(graph, *ids) : std::vector<std::string>();
}

using Names = std::vector<std::string>;

// An attention with an additive mask and a table of places, and a decoder's grid and strides.
Graph Encoder() {
  return Parsed(R"(
input x: f32[N,6,4]
const before: f32[4] = random(9, -1, 1)
const w: f32[4,8] = random(1, -1, 1)
const b: f32[8] = random(2, -1, 1)
const places: f32[1,6,8] = random(3, -1, 1)
const shape: i64[4] = [0,0,2,4]
const mask: f32[1,1,1,6] = random(4, -1, 0)
const back: i64[3] = [0,0,8]
const gamma: f32[1,1,8] = random(5, 0.5, 1)
const w2: f32[8,6] = random(6, -1, 1)
const stride: f32[1,6,1] = random(7, 1, 8)
const late: f32[6] = random(8, -1, 1)
p = Sub(x, before)
h = MatMul(p, w)
hb = Add(h, b)
t = Add(hb, places)
s = Reshape(t, shape)
q = Transpose(s) {perm=[0,2,1,3]}
k = Transpose(s) {perm=[0,2,3,1]}
scores = MatMul(q, k)
masked = Add(scores, mask)
a = Softmax(masked)
v = MatMul(a, q)
turned = Transpose(v) {perm=[0,2,1,3]}
joined = Reshape(turned, back)
g = Mul(joined, gamma)
o = MatMul(g, w2)
scaled = Mul(o, stride)
y = Add(scaled, late)
output y
)");
}

TEST(Parameters, OfArithmeticHaveANumberForEachChannel) {
  EXPECT_EQ(Found(Encoder()), (Names{"w", "b", "gamma", "w2", "late"}));
  EXPECT_EQ(NamesOf(Encoder(), LeftAlone(Encoder(), {})), (Names{"places", "mask", "stride"}));
}

TEST(Parameters, OfConvolutionsLieAlongTheSecondAxis) {
  const Graph graph = Parsed(R"(
input x: f32[N,3,8,8]
const w: f32[8,3,3,3] = random(1, -1, 1)
const bias: f32[1,8,1,1] = random(2, -1, 1)
const scale: f32[8,1,1] = random(3, -1, 1)
const columns: f32[8] = random(4, -1, 1)
const picture: f32[8,8] = random(5, -1, 1)
const w2: f32[512,4] = random(6, -1, 1)
const flat: f32[512] = random(7, -1, 1)
c = Conv(x, w) {pads=[1,1,1,1]}
a = Add(c, bias)
m = Mul(scale, a)
d = Add(m, columns)
e = Mul(d, picture)
f = Flatten(e)
g = Add(f, flat)
y = MatMul(g, w2)
output y
)");
  EXPECT_EQ(Found(graph), (Names{"w", "bias", "scale", "flat", "w2"}));
}

// --train-only is the way in; a value that is not finite has none.
TEST(Parameters, MoveWhereTheyAreAskedFor) {
  Graph graph = Encoder();
  EXPECT_EQ(Found(graph, {.freeze = {}, .only = {"places", "w*"}, .also = {}}),
            (Names{"w", "places", "w2"}));
  EXPECT_TRUE(LeftAlone(graph, {.freeze = {}, .only = {"w*"}, .also = {}}).empty());
  EXPECT_EQ(NamesOf(graph, LeftAlone(graph, {.freeze = {"mask"}, .only = {}, .also = {}})),
            (Names{"places", "stride"}));
  const float low = -std::numeric_limits<float>::infinity();
  graph.SetConstant(graph.FindValue("mask"),
                    Tensor::Of<float>({1, 1, 1, 6}, {0, 0, 0, 0, low, low}));
  EXPECT_FALSE(FindParameters(graph, {.freeze = {}, .only = {"mask"}, .also = {}}));
  graph.SetConstant(graph.FindValue("late"), Tensor::Of<float>({6}, {0, 0, 0, 0, 0, low}));
  EXPECT_EQ(Found(graph), (Names{"w", "b", "gamma", "w2"}));
}

TEST(Parameters, ThatAreLeftAloneAreTold) {
  const auto notes = NotesOnParameters(Encoder(), {});
  ASSERT_TRUE(notes) << notes.error().message();
  ASSERT_EQ(notes->size(), 1);
  EXPECT_NE((*notes)[0].find("places, mask, stride"), std::string::npos) << (*notes)[0];
  EXPECT_NE((*notes)[0].find("--train-only"), std::string::npos);
  EXPECT_TRUE(NotesOnParameters(SmallClassifier(), {})->empty());
}

// A language model's last product reads its embedding turned; loading folds that.
TEST(Parameters, ThatWereTiedAreTold) {
  Graph graph = Parsed(R"(
input tokens: i64[N,5]
const embedding: f32[7,4] = random(1, -1, 1)
h = Gather(embedding, tokens)
turned = Transpose(embedding) {perm=[1,0]}
y = MatMul(h, turned)
output y
)");
  ASSERT_TRUE(passes::Simplify(graph, nullptr, kTrainable));
  const auto notes = NotesOnParameters(graph, {});
  ASSERT_TRUE(notes) << notes.error().message();
  ASSERT_EQ(notes->size(), 1);
  EXPECT_NE((*notes)[0].find("embedding and turned"), std::string::npos) << (*notes)[0];
  EXPECT_TRUE(NotesOnParameters(graph, {.freeze = {"turned"}, .only = {}, .also = {}})->empty());
}

}  // namespace
}  // namespace pare::train
