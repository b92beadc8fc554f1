#include "compress/prune/reconstruct.h"

#include "compress/prune/blocks.h"
#include "compress/prune/testing.h"

namespace pare::compress {
namespace {

using graph::Graph;

// Channels 4 … 7 of `a` are twice the first four; nothing in between is non-linear.
Graph WithRedundantChannels(std::string_view consumer) {
  Graph graph = ReadGraph(Text(R"(
input x: f32[N,3,6,6]
const w0: f32[8,3,1,1] = random(1, -1, 1)
const b0: f32[8] = random(2, -1, 1)
a = Conv(x, w0, b0)
)",
                               consumer));
  for (const char* name : {"w0", "b0"}) {
    const graph::ValueId id = graph.FindValue(name);
    const Tensor& old = graph.value(id).data;
    Tensor twice = Tensor::Of<float>(old.shape(), old.as<float>());
    const auto values = twice.mutable_as<float>();
    const size_t half = values.size() / 2;
    for (size_t i = 0; i < half; ++i) values[half + i] = 2 * values[i];
    graph.SetConstant(id, twice);
  }
  return graph;
}

// What is left of `a` is its first four channels.
double ErrorAfter(const Graph& graph, Reconstruction* told = nullptr) {
  const Channels channels = Channels::Of(graph);
  const KeptUnits kept[] = {{GroupOf(channels, "a"), {0, 1, 2, 3}}};
  Graph pruned = RemoveChannels(graph, channels, kept).value();
  const CalibrationBatches calibration = CalibrationOf(graph, {3, 6, 6}, 40);
  const model::Context context = model::Context::Make(2);
  SilentProgress progress;
  auto done = Reconstruct(graph, channels, kept, calibration, context, progress, pruned);
  EXPECT_TRUE(done) << done.error().message();
  if (told) *told = *done;
  const auto whole = model::MakeSession(graph, context).value();
  const auto part = model::MakeSession(pruned, context).value();
  double error = 0, energy = 0;
  for (const data::Batch& batch : calibration.batches()) {
    Tensor expected[1], actual[1];
    EXPECT_TRUE(whole->Run(batch.inputs, expected));
    EXPECT_TRUE(part->Run(batch.inputs, actual));
    for (size_t i = 0; i < expected[0].as<float>().size(); ++i) {
      const double y = expected[0].as<float>()[i], d = actual[0].as<float>()[i] - y;
      error += d * d;
      energy += y * y;
    }
  }
  return error / energy;
}

TEST(Reconstruct, MakesUpForChannelsThatAreSumsOfOthersInAConvolution) {
  const Graph graph = WithRedundantChannels(R"(
const w1: f32[5,8,3,3] = random(3, -1, 1)
y = Conv(a, w1) {pads=[1,1,1,1], strides=[2,2]}
output y
)");
  Reconstruction told;
  EXPECT_LT(ErrorAfter(graph, &told), 1e-6);
  ASSERT_EQ(told.layers.size(), 1u);
  EXPECT_EQ(told.layers[0].name, "y");
  EXPECT_GT(told.layers[0].error_before, 0.1);
  EXPECT_LT(told.layers[0].error_after, 1e-6);
}

TEST(Reconstruct, InAGroupedConvolution) {
  EXPECT_LT(ErrorAfter(WithRedundantChannels(R"(
perm = Transpose(a) {perm=[0,2,3,1]}
back = Transpose(perm) {perm=[0,3,1,2]}
const w1: f32[6,8,1,1] = random(3, -1, 1)
const w2: f32[4,3,3,3] = random(4, -1, 1)
m = Conv(back, w1)
y = Conv(m, w2) {group=2}
output y
)")),
            1e-6);
}

TEST(Reconstruct, InMatrices) {
  EXPECT_LT(ErrorAfter(WithRedundantChannels(R"(
p = GlobalAveragePool(a)
flat = Flatten(p)
const w1: f32[5,8] = random(3, -1, 1)
y = Gemm(flat, w1) {transB=1}
output y
)")),
            1e-6);
  EXPECT_LT(ErrorAfter(WithRedundantChannels(R"(
rows = Transpose(a) {perm=[0,2,3,1]}
const w1: f32[8,5] = random(3, -1, 1)
const b1: f32[5] = random(4, -1, 1)
m = MatMul(rows, w1)
y = Add(m, b1)
output y
)")),
            1e-6);
}

TEST(Reconstruct, LaterLayersSeeWhatEarlierOnesGive) {
  // Both `a` and `m` are cut; each is redundant, so that all of it can be made up for only when the
  // second layer is fitted to what the first one's cut left.
  Graph graph = WithRedundantChannels(R"(
const w1: f32[8,8,1,1] = random(3, -1, 1)
m = Conv(a, w1)
const w2: f32[5,8,1,1] = random(5, -1, 1)
y = Conv(m, w2)
output y
)");
  const Channels channels = Channels::Of(graph);
  const KeptUnits kept[] = {{GroupOf(channels, "a"), {0, 1, 2, 3}},
                            {GroupOf(channels, "m"), {1, 2, 4, 6}}};
  Graph pruned = RemoveChannels(graph, channels, kept).value();
  SilentProgress progress;
  const auto done = Reconstruct(graph, channels, kept, CalibrationOf(graph, {3, 6, 6}, 40),
                                model::Context::Make(1), progress, pruned);
  ASSERT_TRUE(done) << done.error().message();
  ASSERT_EQ(done->layers.size(), 2u);
  EXPECT_LT(done->layers[0].error_after, 1e-6);
  // `m` is made of three numbers a place: four of its channels tell them all.
  EXPECT_LT(done->layers[1].error_after, 1e-6);
}

TEST(Reconstruct, MakesUpForABlockInAllLayersThatReadItsStream) {
  // The first block is linear: `i`, which reads its sum, can do its work as well. `y` reads a sum
  // of it and of the second block, where the two can't be told apart.
  const Graph graph = ReadGraph(R"(
input x: f32[N,3,6,6]
const w0: f32[8,3,1,1] = random(1, -1, 1)
const w1: f32[8,8,1,1] = random(2, -1, 1)
const wi: f32[8,8,3,3] = random(3, -1, 1)
const w2: f32[8,8,1,1] = random(4, -1, 1)
const wy: f32[5,8,1,1] = random(5, -1, 1)
s0 = Conv(x, w0)
f1 = Conv(s0, w1)
s1 = Add(s0, f1)
i = Conv(s1, wi) {pads=[1,1,1,1]}
r = Relu(i)
f2 = Conv(r, w2)
s2 = Add(s1, f2)
y = Conv(s2, wy)
output y
)");
  const std::vector<ResidualBlock> blocks = FindBlocks(graph);
  ASSERT_EQ(blocks.size(), 2u);
  Graph pruned = RemoveBlocks(graph, {blocks[0]}).value();
  SilentProgress progress;
  const auto done = Reconstruct(graph, Channels::Of(graph), {}, CalibrationOf(graph, {3, 6, 6}, 40),
                                model::Context::Make(1), progress, pruned);
  ASSERT_TRUE(done) << done.error().message();
  ASSERT_EQ(done->layers.size(), 2u);
  EXPECT_EQ(done->layers[0].name, "i");
  EXPECT_GT(done->layers[0].error_before, 0.1);
  EXPECT_LT(done->layers[0].error_after, 1e-6);
  EXPECT_EQ(done->layers[1].name, "y");
  EXPECT_LT(done->layers[1].error_after, done->layers[1].error_before / 2);
}

TEST(Reconstruct, TellsWhatItCantFit) {
  const Graph graph = WithRedundantChannels(R"(
const w1: f32[8,5,2,2] = random(3, -1, 1)
y = ConvTranspose(a, w1)
output y
)");
  Reconstruction told;
  ErrorAfter(graph, &told);
  EXPECT_TRUE(told.layers.empty());
  EXPECT_EQ(told.skipped, (std::vector<std::string>{"y"}));
}

}  // namespace
}  // namespace pare::compress
