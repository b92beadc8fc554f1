// What goes together, as text: a small graph each, and its groups.
#include "compress/prune/groups.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compress/prune/importance.h"
#include "compress/prune/remove.h"
#include "compress/prune/testing.h"

namespace pare::compress {
namespace {

using graph::Graph;

std::string GroupsOf(const char* text) { return ChannelsText(Channels::Of(ReadGraph(text))); }

TEST(ChannelGroups, ResidualStreamIsOneGroup) {
  EXPECT_EQ(GroupsOf(R"(
input x: f32[N,3,8,8]
const w0: f32[8,3,3,3] = random(1, -1, 1)
const w1: f32[6,8,3,3] = random(2, -1, 1)
const w2: f32[8,6,3,3] = random(3, -1, 1)
const w3: f32[5,8] = random(4, -1, 1)
stem = Conv(x, w0) {pads=[1,1,1,1]}
inner = Conv(stem, w1) {pads=[1,1,1,1]}
act = Relu(inner)
branch = Conv(act, w2) {pads=[1,1,1,1]}
sum = Add(stem, branch)
pooled = GlobalAveragePool(sum)
flat = Flatten(pooled)
y = Gemm(flat, w3) {transB=1}
output y
)"),
            "stem: 8 units, 2 producers, 2 consumers\n"
            "inner: 6 units, 1 producers, 1 consumers\n"
            "y: 5 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
}

TEST(ChannelGroups, ConcatSplitsIntoTheGroupsOfItsParts) {
  EXPECT_EQ(GroupsOf(R"(
input x: f32[N,3,8,8]
const w0: f32[4,3,1,1] = random(1, -1, 1)
const w1: f32[6,3,1,1] = random(2, -1, 1)
const w2: f32[2,10,1,1] = random(3, -1, 1)
a = Conv(x, w0)
b = Conv(x, w1)
c = Concat(a, b) {axis=1}
y = Conv(c, w2)
output y
)"),
            "a: 4 units, 1 producers, 1 consumers\n"
            "b: 6 units, 1 producers, 1 consumers\n"
            "y: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
}

TEST(ChannelGroups, GroupedAndDepthwiseConvolutions) {
  EXPECT_EQ(GroupsOf(R"(
input x: f32[N,3,8,8]
const w0: f32[8,3,1,1] = random(1, -1, 1)
const w1: f32[8,1,3,3] = random(2, -1, 1)
const w2: f32[12,4,1,1] = random(3, -1, 1)
const w3: f32[2,12,1,1] = random(4, -1, 1)
a = Conv(x, w0)
d = Conv(a, w1) {group=8, pads=[1,1,1,1]}
g = Conv(d, w2) {group=2}
y = Conv(g, w3)
output y
)"),
            "a: 4 units, 1 producers, 1 consumers\n"
            "g: 6 units, 1 producers, 1 consumers\n"
            "y: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
}

TEST(ChannelGroups, SqueezeAndExcite) {
  EXPECT_EQ(GroupsOf(R"(
input x: f32[N,3,8,8]
const w0: f32[8,3,1,1] = random(1, -1, 1)
const w1: f32[4,8,1,1] = random(2, -1, 1)
const w2: f32[8,4,1,1] = random(3, -1, 1)
const w3: f32[2,8,1,1] = random(4, -1, 1)
a = Conv(x, w0)
p = GlobalAveragePool(a)
s = Conv(p, w1)
r = Relu(s)
e = Conv(r, w2)
gate = Sigmoid(e)
m = Mul(a, gate)
y = Conv(m, w3)
output y
)"),
            "a: 8 units, 2 producers, 2 consumers\n"
            "s: 4 units, 1 producers, 1 consumers\n"
            "y: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
}

TEST(ChannelGroups, FlattenTakesAllPlacesOfAChannel) {
  const Graph graph = ReadGraph(R"(
input x: f32[N,3,4,4]
const w0: f32[8,3,1,1] = random(1, -1, 1)
const w1: f32[128,5] = random(2, -1, 1)
a = Conv(x, w0)
const shape: i64[2] = [0,128]
flat = Reshape(a, shape)
y = MatMul(flat, w1)
output y
)");
  const Channels channels = Channels::Of(graph);
  EXPECT_EQ(ChannelsText(channels),
            "a: 8 units, 1 producers, 1 consumers\n"
            "y: 5 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
  const int group = GroupOf(channels, "a");
  const KeptUnits kept{group, {1, 6, 7}};
  const auto smaller = RemoveChannels(graph, channels, std::span(&kept, 1));
  ASSERT_TRUE(smaller) << smaller.error().message();
  EXPECT_EQ(smaller->value(smaller->FindValue("w1")).data.shape(), (Dims{48, 5}));
  const Tensor& before = graph.value(graph.FindValue("w1")).data;
  const Tensor& after = smaller->value(smaller->FindValue("w1")).data;
  EXPECT_EQ(after.as<float>()[0], before.as<float>()[16 * 5]);
  EXPECT_EQ(after.as<float>()[16 * 5], before.as<float>()[6 * 16 * 5]);
}

// The shortcut of residual networks without weights: every second pixel, and channels of zeros
// around those of the stage before.
TEST(ChannelGroups, ZeroPaddedShortcut) {
  const Graph graph = ReadGraph(R"(
input x: f32[N,3,8,8]
const w0: f32[4,3,1,1] = random(1, -1, 1)
const w1: f32[8,4,3,3] = random(2, -1, 1)
const w2: f32[2,8,1,1] = random(3, -1, 1)
const starts: i64[2] = [0,0]
const ends: i64[2] = [8,8]
const axes: i64[2] = [2,3]
const steps: i64[2] = [2,2]
const pads: i64[8] = [0,2,0,0,0,2,0,0]
a = Conv(x, w0)
half = Slice(a, starts, ends, axes, steps)
wide = Pad(half, pads)
b = Conv(a, w1) {pads=[1,1,1,1], strides=[2,2]}
sum = Add(wide, b)
y = Conv(sum, w2)
output y
)");
  const Channels channels = Channels::Of(graph);
  EXPECT_EQ(ChannelsText(channels),
            "a: 4 units, 2 producers, 2 consumers\n"
            "b: 4 units, 1 producers, 1 consumers\n"
            "y: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
  const std::vector<KeptUnits> kept{{GroupOf(channels, "a"), {0, 3}},
                                    {GroupOf(channels, "b"), {1, 2, 3}}};
  const auto smaller = RemoveChannels(graph, channels, kept);
  ASSERT_TRUE(smaller) << smaller.error().message();
  const graph::Node& pad = *smaller->producer_of(smaller->FindValue("wide"));
  EXPECT_EQ(ToInt64s(smaller->value(pad.inputs[1]).data).value(),
            (std::vector<int64_t>{0, 1, 0, 0, 0, 2, 0, 0}));
}

// Heads go as a whole: the first factor of the width.
TEST(ChannelGroups, AttentionHeads) {
  EXPECT_EQ(
      GroupsOf(R"(
input x: f32[N,6,8]
const we: f32[8,12] = random(1, -1, 1)
const wq: f32[12,12] = random(2, -1, 1)
const wk: f32[12,12] = random(3, -1, 1)
const wv: f32[12,12] = random(4, -1, 1)
const wo: f32[12,12] = random(5, -1, 1)
const scale: f32[12] = fill(1)
const wy: f32[12,2] = random(6, -1, 1)
const heads: i64[4] = [0,0,3,4]
const merged: i64[3] = [0,0,12]
e = MatMul(x, we)
q = MatMul(e, wq)
k = MatMul(e, wk)
v = MatMul(e, wv)
q4 = Reshape(q, heads)
k4 = Reshape(k, heads)
v4 = Reshape(v, heads)
qt = Transpose(q4) {perm=[0,2,1,3]}
kt = Transpose(k4) {perm=[0,2,3,1]}
vt = Transpose(v4) {perm=[0,2,1,3]}
scores = MatMul(qt, kt)
p = Softmax(scores) {axis=-1}
c = MatMul(p, vt)
ct = Transpose(c) {perm=[0,2,1,3]}
flat = Reshape(ct, merged)
o = MatMul(flat, wo)
sum = Add(e, o)
n = LayerNormalization(sum, scale)
y = MatMul(n, wy)
output y
)"),
      "e: 12 units, 2 producers, 4 consumers; inexact: node n (LayerNormalization): normalises "
      "over the channels\n"
      "q: 3 units, 3 producers, 1 consumers\n"
      "y: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
}

// Queries, keys and values of one product, as most vision transformers have them: which of its
// columns' factors the heads are is known only where the first is picked apart.
std::string HeadsOfOneProduct(std::string_view picked) {
  return GroupsOf(Text(R"(
input x: f32[N,6,8]
const wqkv: f32[8,36] = random(1, -1, 1)
const wo: f32[12,2] = random(5, -1, 1)
const split: i64[5] = [0,0,3,3,4]
const merged: i64[3] = [0,0,12]
const i0: i64[] = [0]
const i1: i64[] = [1]
const i2: i64[] = [2]
const front_axis: i64[1] = [0]
qkv = MatMul(x, wqkv)
apart = Reshape(qkv, split)
front = Transpose(apart) {perm=[2,0,3,1,4]}
)",
                       picked, R"(
kt = Transpose(k) {perm=[0,1,3,2]}
scores = MatMul(q, kt)
p = Softmax(scores) {axis=-1}
c = MatMul(p, v)
ct = Transpose(c) {perm=[0,2,1,3]}
flat = Reshape(ct, merged)
y = MatMul(flat, wo)
output y
)")
                      .c_str());
}

TEST(ChannelGroups, HeadsOfOneProductForAllThree) {
  const std::string groups =
      "qkv: 3 units, 1 producers, 1 consumers\n"
      "y: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n";
  EXPECT_EQ(HeadsOfOneProduct(R"(
q = Gather(front, i0)
k = Gather(front, i1)
v = Gather(front, i2)
)"),
            groups);
  EXPECT_EQ(HeadsOfOneProduct(R"(
q1, k1, v1 = Split(front) {axis=0, num_outputs=3}
q = Squeeze(q1, front_axis)
k = Squeeze(k1, front_axis)
v = Squeeze(v1, front_axis)
)"),
            groups);
}

// What is left of the single channel would be nothing.
TEST(ChannelGroups, AnAxisOfOneStays) {
  EXPECT_EQ(GroupsOf(R"(
input x: f32[N,4]
const w0: f32[4,3] = random(1, -1, 1)
const w1: f32[4,2] = random(2, -1, 1)
const begin: i64[1] = [2]
const end: i64[1] = [3]
const axis: i64[1] = [1]
h = MatMul(x, w0)
last = Slice(h, begin, end, axis)
both = Concat(h, last) {axis=1}
y = MatMul(both, w1)
output y
)"),
            "h: 2 units, 1 producers, 1 consumers\n"
            "h: 1 units, 1 producers, 1 consumers; fixed: node last (Slice): it is all there is of "
            "another tensor's axis\n"
            "y: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
}

TEST(ChannelGroups, HalvesOfAGateGoTogether) {
  EXPECT_EQ(GroupsOf(R"(
input x: f32[N,4]
const w0: f32[4,12] = random(1, -1, 1)
const w1: f32[6,2] = random(2, -1, 1)
h = MatMul(x, w0)
a, b = Split(h) {axis=1, num_outputs=2}
s = Sigmoid(a)
m = Mul(s, b)
y = MatMul(m, w1)
output y
)"),
            "h: 6 units, 1 producers, 1 consumers\n"
            "y: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
}

TEST(ChannelGroups, HiddenUnitsOfARecurrence) {
  EXPECT_EQ(GroupsOf(R"(
input x: f32[5,N,4]
const w: f32[1,24,4] = random(1, -1, 1)
const r: f32[1,24,6] = random(2, -1, 1)
const b: f32[1,48] = random(3, -1, 1)
const wy: f32[6,2] = random(4, -1, 1)
const axes: i64[1] = [1]
h = LSTM(x, w, r, b) {hidden_size=6}
s = Squeeze(h, axes)
y = MatMul(s, wy)
output y
)"),
            "h: 6 units, 3 producers, 2 consumers\n"
            "y: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
}

// A state that comes from outside fixes the units, and is told as the reason.
TEST(ChannelGroups, ARecurrenceWhoseStateIsGivenTellsWhyItStays) {
  EXPECT_EQ(GroupsOf(R"(
input x: f32[5,2,4]
input h0: f32[1,2,6]
const w: f32[1,18,4] = random(1, -1, 1)
const r: f32[1,18,6] = random(2, -1, 1)
const wy: f32[6,2] = random(4, -1, 1)
const axes: i64[1] = [1]
h = GRU(x, w, r, _, _, h0) {hidden_size=6}
s = Squeeze(h, axes)
y = MatMul(s, wy)
output y
)"),
            "h: 6 units, 2 producers, 2 consumers; fixed: it is the model's input h0\n"
            "y: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
}

// Equal bytes that two layers read are two constants where the layers keep different channels.
TEST(ChannelGroups, SharedConstantsDontCoupleTheirReaders) {
  const Graph graph = ReadGraph(R"(
input x: f32[N,4]
const w0: f32[4,4] = random(1, -1, 1)
const bias: f32[4] = random(2, -1, 1)
const w1: f32[4,2] = random(3, -1, 1)
a = MatMul(x, w0)
b = Add(a, bias)
c = MatMul(b, w0)
d = Add(c, bias)
y = MatMul(d, w1)
output y
)");
  const Channels channels = Channels::Of(graph);
  EXPECT_EQ(ChannelsText(channels),
            "a: 4 units, 1 producers, 1 consumers\n"
            "c: 4 units, 1 producers, 1 consumers\n"
            "y: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
  const int group = GroupOf(channels, "c");
  const KeptUnits kept{group, {2}};
  const auto smaller = RemoveChannels(graph, channels, std::span(&kept, 1));
  ASSERT_TRUE(smaller) << smaller.error().message();
  const auto shape_of = [&](const char* value, int input) {
    return smaller->value(smaller->producer_of(smaller->FindValue(value))->inputs[input])
        .data.shape();
  };
  EXPECT_EQ(shape_of("b", 1), Dims{4});
  EXPECT_EQ(shape_of("d", 1), Dims{1});
  EXPECT_EQ(shape_of("a", 1), (Dims{4, 4}));
  EXPECT_EQ(shape_of("c", 1), (Dims{4, 1}));
}

TEST(ChannelGroups, WhatARecordDoesNotSpeakOfIsFixed) {
  const Graph graph = ReadGraph(R"(
input x: f32[N,4]
const w0: f32[4,4] = random(1, -1, 1)
const w1: f32[4,2] = random(2, -1, 1)
const axis: i64[] = [1]
a = MatMul(x, w0)
s = CumSum(a, axis)
y = MatMul(s, w1)
output y
)");
  const Channels channels = Channels::Of(graph);
  const int group = GroupOf(channels, "a");
  EXPECT_FALSE(channels.groups()[group].prunable);
  EXPECT_EQ(channels.groups()[group].why_not,
            "node s (CumSum): its sums depend on the places before");
  const KeptUnits kept{group, {0, 1}};
  const auto refused = RemoveChannels(graph, channels, std::span(&kept, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kUsage);
}

TEST(Importance, IsTheNormOfWhatMakesAChannelTimesItsScale) {
  const Graph graph = ReadGraph(R"(
input x: f32[N,1,2,2]
const w0: f32[3,1,1,2] = [3,4, 0,1, 1,0]
const gamma: f32[3] = [1,-20,1]
const beta: f32[3] = fill(0)
const mean: f32[3] = fill(0)
const variance: f32[3] = fill(1)
const w1: f32[2,3,1,1] = random(3, -1, 1)
a = Conv(x, w0)
n = BatchNormalization(a, gamma, beta, mean, variance) {epsilon=0.0}
y = Conv(n, w1)
output y
)");
  const Channels channels = Channels::Of(graph);
  const int group = GroupOf(channels, "a");
  const auto importance = ImportanceByNorm(graph, channels, group);
  ASSERT_EQ(importance.size(), 3u);
  EXPECT_NEAR(importance[0], 5, 1e-6);
  EXPECT_NEAR(importance[1], 20, 1e-6);
  EXPECT_NEAR(importance[2], 1, 1e-6);
  EXPECT_EQ(MostImportant(importance, 2), (std::vector<int64_t>{0, 1}));
}

}  // namespace
}  // namespace pare::compress
