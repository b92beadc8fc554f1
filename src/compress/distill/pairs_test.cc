#include "compress/distill/pairs.h"

#include "compress/distill/testing.h"

namespace pare::compress {
namespace {

using Layers = std::vector<TrunkLayer>;

// Stages of residual blocks; the first one of each later stage halves the picture.
graph::Graph Residual(int blocks, int width, const std::string& prefix = "") {
  std::string text =
      Text("input x: f32[N,3,8,8]\nconst w0: f32[", width, ",3,3,3] = random(1, -1, 1)\n", prefix,
           "stem = Conv(x, w0) {pads=[1,1,1,1]}\n");
  std::string in = prefix + "stem";
  int at = width;
  for (int stage = 0; stage < 2; ++stage) {
    const int out = width << stage;
    for (int block = 0; block < blocks; ++block) {
      const std::string name = Text(prefix, "s", stage, "b", block);
      const bool down = stage > 0 && block == 0;
      const std::string step = down ? " {strides=[2,2], pads=[1,1,1,1]}" : " {pads=[1,1,1,1]}";
      text += Text("const ", name, "w: f32[", out, ',', at, ",3,3] = random(2, -1, 1)\n", name,
                   "f = Conv(", in, ", ", name, "w)", step, '\n');
      std::string shortcut = in;
      if (down) {
        text += Text("const ", name, "d: f32[", out, ',', at, ",1,1] = random(3, -1, 1)\n", name,
                     "p = Conv(", in, ", ", name, "d) {strides=[2,2]}\n");
        shortcut = name + "p";
      }
      text += Text(name, "s = Add(", name, "f, ", shortcut, ")\n", name, "r = Relu(", name, "s)\n");
      in = name + "r";
      at = out;
    }
  }
  text += Text("const wy: f32[", at, ",10] = random(4, -1, 1)\n", prefix,
               "pool = GlobalAveragePool(", in, ")\n", prefix, "flat = Flatten(", prefix, "pool)\n",
               prefix, "y = MatMul(", prefix, "flat, wy)\noutput ", prefix, "y\n");
  return GraphOf(text);
}

std::vector<std::string> Names(const std::vector<TrunkLayer>& layers) {
  std::vector<std::string> names;
  for (const TrunkLayer& layer : layers) names.push_back(layer.name);
  return names;
}

std::vector<std::string> Texts(const Result<std::vector<LayerPair>>& pairs) {
  EXPECT_TRUE(pairs) << pairs.error().message();
  std::vector<std::string> texts;
  if (!pairs) return texts;
  for (const LayerPair& pair : *pairs) texts.push_back(PairText(pair));
  return texts;
}

using Strings = std::vector<std::string>;

std::vector<Dims> Pictures() { return {{2, 3, 8, 8}}; }

Layers TrunkOfResidual(int blocks, int width, const std::string& prefix = "") {
  return TrunkOf(Residual(blocks, width, prefix), Pictures()).value();
}

TEST(Trunk, IsWhatEveryPathGoesThrough) {
  const auto layers = TrunkOf(Residual(2, 4), Pictures());
  ASSERT_TRUE(layers) << layers.error().message();
  EXPECT_EQ(Names(*layers), (Strings{"stem", "s0b0r", "s0b1r", "s1b0r", "s1b1r", "flat"}));
  EXPECT_EQ(layers->at(3).shape, (Dims{8, 4, 4}));
  EXPECT_EQ(layers->at(3).Extents(), (Dims{4, 4}));
  EXPECT_DOUBLE_EQ(layers->at(1).depth, 2.0 / 7);
}

// Of an encoder with two inputs, a mask that joins late and ids; the channels are the last axis.
TEST(Trunk, OfAnEncoderIsItsResidualStream) {
  const auto layers = TrunkOf(GraphOf(R"(
input mask: f32[N,1,1,4]
input ids: i64[N,4]
const table: f32[9,8] = random(1, -1, 1)
const scale: f32[8] = fill(1)
const wq: f32[8,8] = random(2, -1, 1)
const wf: f32[8,8] = random(3, -1, 1)
const wy: f32[8,3] = random(4, -1, 1)
const heads: i64[4] = [0,4,2,4]
const whole: i64[3] = [0,4,8]
e = Gather(table, ids)
n0 = LayerNormalization(e, scale)
q = MatMul(n0, wq)
qs = Reshape(q, heads)
qh = Transpose(qs) {perm=[0,2,1,3]}
kt = Transpose(qs) {perm=[0,2,3,1]}
scores = MatMul(qh, kt)
masked = Add(scores, mask)
p = Softmax(masked)
c = MatMul(p, qh)
ct = Transpose(c) {perm=[0,2,1,3]}
cs = Reshape(ct, whole)
s1 = Add(cs, n0)
n1 = LayerNormalization(s1, scale)
f = MatMul(n1, wf)
s2 = Add(f, n1)
n2 = LayerNormalization(s2, scale)
y = MatMul(n2, wy)
output y
)"),
                              std::vector<Dims>{{2, 1, 1, 4}, {2, 4}});
  ASSERT_TRUE(layers) << layers.error().message();
  EXPECT_EQ(Names(*layers), (Strings{"n1", "n2"}));
  EXPECT_EQ(layers->at(1).Extents(), Dims{4});
  EXPECT_EQ(layers->at(1).shape[static_cast<size_t>(layers->at(1).channel_axis)], 8);
}

TEST(Trunk, OfASequenceThatIsConvolvedHasItsChannelsSecond) {
  const auto layers = TrunkOf(GraphOf(R"(
input x: f32[N,2,9]
const w: f32[4,2,3] = random(1, -1, 1)
const v: f32[5,4,3] = random(2, -1, 1)
a = Conv(x, w)
b = Relu(a)
c = Conv(b, v)
output c
)"),
                              std::vector<Dims>{{2, 2, 9}});
  ASSERT_TRUE(layers) << layers.error().message();
  EXPECT_EQ(Names(*layers), Strings{"b"});
  EXPECT_EQ(layers->at(0).Extents(), Dims{7});
}

TEST(PairLayers, ByShapeTakesTheLastOfEachResolution) {
  const Layers student = TrunkOfResidual(1, 4, "a"), teacher = TrunkOfResidual(3, 8, "b");
  EXPECT_EQ(Texts(PairLayers(student, teacher, Pairing::kShape)),
            (Strings{"as0b0r=bs0b2r", "as1b0r=bs1b2r", "aflat=bflat"}));
  EXPECT_EQ(Texts(PairLayers(student, teacher, Pairing::kAuto)),
            Texts(PairLayers(student, teacher, Pairing::kShape)));
}

TEST(PairLayers, ByNameTakesWhatBothHave) {
  const Layers student = TrunkOfResidual(1, 4), teacher = TrunkOfResidual(3, 8);
  const Strings expected{"s0b0r", "s1b0r", "flat"};
  EXPECT_EQ(Texts(PairLayers(student, teacher, Pairing::kName)), expected);
  EXPECT_EQ(Texts(PairLayers(student, teacher, Pairing::kAuto)), expected);
  const auto none = PairLayers(student, TrunkOfResidual(3, 8, "b"), Pairing::kName);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message().find("--hint STUDENT=TEACHER"), std::string::npos);
}

TEST(PairLayers, ByPositionTakesTheSameParts) {
  const Layers student = TrunkOfResidual(1, 4, "a"), teacher = TrunkOfResidual(3, 8, "b");
  // The student's products: stem, block, two of the second stage's first block, classifier.
  EXPECT_EQ(Texts(PairLayers(student, teacher, Pairing::kPosition)),
            (Strings{"astem=bs0b0r", "as0b0r=bs0b2r", "as1b0r=bs1b1r"}));
}

TEST(Pairing, HasNames) {
  EXPECT_EQ(*ParsePairing("position"), Pairing::kPosition);
  EXPECT_FALSE(ParsePairing("nearest"));
}

}  // namespace
}  // namespace pare::compress
