// Networks of well-known forms (tools/oracle/make_networks.py): what goes together in each, and
// that half of all that is exact goes exactly.
#include "compress/prune/testing.h"
#include "running.h"
#include "train/parameters.h"

namespace pare::compress {
namespace {

using graph::Graph;

Graph LoadNetwork(const std::string& name) {
  const auto model =
      model::Model::Load(SourcePath("tests/models/" + name + ".onnx"), train::kTrainable);
  EXPECT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->batch_note(), "");
  return model->graph();
}

std::vector<Tensor> AnswersOf(const Graph& graph, const std::string& name) {
  const auto inputs = LoadNumbered(SourcePath("tests/models/" + name + "/batch_2"), "input");
  const auto session = model::MakeSession(graph, model::Context::Make(2));
  EXPECT_TRUE(session) << session.error().message();
  std::vector<Tensor> outputs(graph.outputs().size());
  const Status status = (*session)->Run(inputs, outputs);
  EXPECT_TRUE(status) << status.error().message();
  return outputs;
}

// Every second unit, beginning at another one in each group.
std::vector<KeptUnits> HalfOfExactGroups(const Channels& channels) {
  std::vector<KeptUnits> kept;
  for (int i = 0; i < std::ssize(channels.groups()); ++i) {
    const UnitGroup& group = channels.groups()[i];
    if (!group.prunable || !group.exact) continue;
    KeptUnits units{i, {}};
    for (int64_t unit = i % 2; unit < group.size; unit += 2) units.units.push_back(unit);
    kept.push_back(std::move(units));
  }
  return kept;
}

class Networks : public ::testing::TestWithParam<const char*> {};

TEST_P(Networks, ComputeTheSameWithoutWhatIsSilent) {
  const Graph whole = LoadNetwork(GetParam());
  const Channels channels = Channels::Of(whole);
  const std::vector<KeptUnits> kept = HalfOfExactGroups(channels);
  ASSERT_FALSE(kept.empty());
  const auto smaller = RemoveChannels(whole, channels, kept);
  ASSERT_TRUE(smaller) << smaller.error().message();
  const auto want = AnswersOf(WithoutContributions(whole, channels, kept), GetParam());
  const auto got = AnswersOf(*smaller, GetParam());
  ASSERT_EQ(got.size(), want.size());
  EXPECT_TRUE(Near(got[0], want[0], {1e-4, 1e-4}));
  // They do matter: the whole answers otherwise.
  EXPECT_FALSE(Near(AnswersOf(whole, GetParam())[0], want[0], {1e-4, 1e-4}));
}

INSTANTIATE_TEST_SUITE_P(Forms, Networks, ::testing::Values("detector", "unet", "encoder"));

TEST(NetworkGroups, OfAUNet) {
  EXPECT_EQ(ChannelsText(Channels::Of(LoadNetwork("unet"))),
            "conv_2: 4 units, 1 producers, 1 consumers\n"
            "conv_13: 4 units, 1 producers, 2 consumers\n"
            "conv_26: 8 units, 1 producers, 1 consumers\n"
            "conv_37: 8 units, 1 producers, 2 consumers\n"
            "conv_50: 12 units, 1 producers, 1 consumers\n"
            "conv_61: 12 units, 1 producers, 1 consumers\n"
            "convtranspose_73: 8 units, 1 producers, 1 consumers\n"
            "conv_78: 8 units, 1 producers, 1 consumers\n"
            "conv_89: 8 units, 1 producers, 1 consumers\n"
            "conv_104: 4 units, 1 producers, 1 consumers\n"
            "conv_109: 4 units, 1 producers, 1 consumers\n"
            "conv_120: 4 units, 1 producers, 1 consumers\n"
            "conv_132: 2 units, 1 producers, 0 consumers; fixed: it is the model's output y\n");
}

TEST(NetworkGroups, OfAnEncoder) {
  EXPECT_EQ(ChannelsText(Channels::Of(LoadNetwork("encoder"))),
            "gather_15: 16 units, 5 producers, 9 consumers; inexact: node node_23 "
            "(LayerNormalization): normalises over the channels\n"
            "matmul_25: 4 units, 3 producers, 1 consumers\n"
            "matmul_86: 64 units, 1 producers, 1 consumers\n"
            "matmul_114: 4 units, 3 producers, 1 consumers\n"
            "matmul_175: 64 units, 1 producers, 1 consumers\n"
            "gemm_207: 16 units, 1 producers, 1 consumers\n"
            "logits: 2 units, 1 producers, 0 consumers; fixed: it is the model's output logits\n");
}

// Only what the answers are made of stays: the classes, of three maps each. Of boxes' sides it is
// the bins of their distributions that may go, inexactly: a softmax runs over them.
TEST(NetworkGroups, OfADetector) {
  const Channels channels = Channels::Of(LoadNetwork("detector"));
  std::vector<std::string> fixed;
  int prunable = 0, inexact = 0;
  for (const UnitGroup& group : channels.groups()) {
    if (group.producers.empty()) continue;
    prunable += group.prunable && group.exact;
    inexact += group.prunable && !group.exact;
    if (!group.prunable)
      fixed.push_back(Text(group.size, " units of ", group.producers.size(), ": ", group.why_not));
  }
  EXPECT_EQ(prunable, 57);
  EXPECT_EQ(inexact, 1);
  EXPECT_EQ(fixed, (std::vector<std::string>{"3 units of 3: it is the model's output boxes"}));
  // Pooled once, twice and three times, a channel stands in the join four times.
  const int pooled = GroupOf(channels, "conv_199");
  ASSERT_EQ(channels.groups()[pooled].consumers.size(), 1u);
  EXPECT_EQ(channels.PositionsPerUnit(channels.groups()[pooled].consumers[0], pooled), 4);
}

// What normalisation mixes: not exact, but it goes all the same, from the embeddings on.
TEST(NetworkGroups, WidthOfAnEncoderIsNarrowedEverywhere) {
  const Graph whole = LoadNetwork("encoder");
  const Channels channels = Channels::Of(whole);
  const int width = GroupOf(channels, "gather_15");
  ASSERT_FALSE(channels.groups()[width].exact);
  const KeptUnits kept{width, {0, 3, 4, 7, 11, 14}};
  const auto smaller = RemoveChannels(whole, channels, std::span(&kept, 1));
  ASSERT_TRUE(smaller) << smaller.error().message();
  const graph::Node& words = *smaller->producer_of(smaller->FindValue("gather_15"));
  EXPECT_EQ(smaller->value(words.inputs[0]).data.shape(), (Dims{40, 6}));
  const auto got = AnswersOf(*smaller, "encoder");
  EXPECT_EQ(got[0].shape(), (Dims{2, 2}));
  for (float value : got[0].as<float>()) EXPECT_TRUE(std::isfinite(value));
}

}  // namespace
}  // namespace pare::compress
