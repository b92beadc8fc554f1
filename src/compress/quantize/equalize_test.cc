// Scaled channels leave the float function as it is, and flatten what shares a scale.
#include "compress/quantize/equalize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "graph/text.h"
#include "passes/pipeline.h"

namespace pare::compress {
namespace {

// Two residual sums over a chain of pointwise and depthwise layers, with a Clip, pooling and a
// product behind: one group of the residual's channels, one of each inner activation.
constexpr char kResidual[] = R"(
input x: f32[2,3,8,8]
const lo: f32[] = 0.0
const hi: f32[] = 6.0
const w0: f32[8,3,3,3] = random(1, -1, 1)
const b0: f32[8] = [0.5, -4, 0.1, 0.2, 9, 0.3, -0.2, 0.1]
const w1: f32[16,8,1,1] = random(2, -1, 1)
const b1: f32[16] = fill(0.01)
const w2: f32[16,1,3,3] = random(3, -0.3, 0.3)
const w3: f32[8,16,1,1] = random(4, -1, 1)
const b3: f32[8] = [0, 6, 0, 0, -7, 0, 0, 0]
const w4: f32[5,8] = random(5, -1, 1)
s = Conv(x, w0, b0) {pads=[1,1,1,1]}
e = Conv(s, w1, b1)
ec = Clip(e, lo, hi)
d = Conv(ec, w2) {group=16, pads=[1,1,1,1]}
dr = Relu(d)
p = Conv(dr, w3, b3)
a = Add(s, p)
r = Relu(a)
g = GlobalAveragePool(r)
f = Flatten(g)
y = Gemm(f, w4) {transB=1}
output y
)";

graph::Graph Parsed(const char* text) {
  auto graph = graph::Parse(text);
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(passes::Simplify(*graph));
  return std::move(*graph);
}

std::vector<data::Loader> Samples(const graph::Graph& graph) {
  Tensor x = Tensor::Make(DType::kF32, {6, 3, 8, 8}).value();
  std::mt19937 engine(7);
  std::normal_distribution<float> normal;
  for (float& value : x.mutable_as<float>()) value = normal(engine);
  data::LoaderOptions options;
  options.prefetch = false;
  std::vector<data::Loader> loaders;
  for (const std::vector<int64_t>& part : {std::vector<int64_t>{0, 1, 2, 3}, {4, 5}}) {
    loaders.push_back(data::Loader::Make(data::DatasetOf({{"", x}}, {}).value(),
                                         model::InputSpecs(graph), part, options)
                          .value());
  }
  return loaders;
}

struct Seen {
  std::vector<ChannelGroup> groups;
  Statistics statistics;
};

Seen Look(const graph::Graph& graph, int threads) {
  const Scheme scheme = MakeScheme(graph, {});
  Seen seen{FindChannelGroups(graph, scheme), {}};
  std::vector<graph::ValueId> values;
  for (const auto& [value, group] : scheme.group_of) values.push_back(value);
  SilentProgress progress;
  auto loaders = Samples(graph);
  seen.statistics = Collect(
                        graph, values, loaders, model::Context::Make(threads), kManyPositions,
                        [](size_t, data::Batch, std::vector<Tensor>) {}, progress)
                        .value();
  return seen;
}

std::vector<float> Answers(const graph::Graph& graph) {
  auto session = model::MakeSession(graph, model::Context::Make(1)).value();
  std::vector<float> answers;
  for (data::Loader& loader : Samples(graph)) {
    while (const auto batch = loader.Next().value()) {
      std::vector<Tensor> outputs(1);
      EXPECT_TRUE(session->Run(batch->inputs, outputs));
      const auto values = outputs[0].as<float>();
      answers.insert(answers.end(), values.begin(), values.end());
    }
  }
  return answers;
}

// Of the values of a group, the largest ratio of two channels' magnitudes.
double Spread(const Seen& seen, const graph::Graph& graph, const std::string& value) {
  const std::vector<float>& channels = seen.statistics.at(value).channel_max;
  EXPECT_NE(graph.FindValue(value), graph::ValueId::kNone);
  const auto [least, most] = std::minmax_element(channels.begin(), channels.end());
  return *most / *least;
}

TEST(Equalize, FindsWhatSharesChannels) {
  const graph::Graph graph = Parsed(kResidual);
  std::map<std::string, const ChannelGroup*> by_value;
  const auto groups = FindChannelGroups(graph, MakeScheme(graph, {}));
  for (const ChannelGroup& group : groups) {
    for (graph::ValueId id : group.values) by_value[graph.value(id).name] = &group;
  }
  ASSERT_EQ(groups.size(), 3u);
  // The residual: written by two layers, read by a convolution and, behind the pooling, a product.
  ASSERT_TRUE(by_value.contains("s") && by_value.contains("r"));
  EXPECT_EQ(by_value["s"], by_value["r"]);
  EXPECT_EQ(by_value["s"]->writers.size(), 2u);
  EXPECT_EQ(by_value["s"]->readers.size(), 2u);
  EXPECT_EQ(by_value["s"]->channels, 8);
  ASSERT_TRUE(by_value.contains("ec") && by_value.contains("dr"));
  EXPECT_NE(by_value["ec"], by_value["dr"]);
  EXPECT_EQ(by_value["ec"]->clipped.size(), 1u);
}

TEST(Equalize, ChangesNoAnswerAndFlattensTheChannels) {
  graph::Graph graph = Parsed(kResidual);
  const std::vector<float> before = Answers(graph);
  const Seen seen = Look(graph, 2);
  ASSERT_FALSE(EqualizeGroups(graph, seen.groups, seen.statistics).empty());
  const std::vector<float> after = Answers(graph);
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < before.size(); ++i)
    EXPECT_NEAR(after[i], before[i], 1e-4 * (1 + std::fabs(before[i]))) << i;
  const Seen again = Look(graph, 2);
  EXPECT_LT(Spread(again, graph, "s"), Spread(seen, graph, "s"));
}

TEST(Equalize, TakesNoLimitsOfAnotherTypeForItsOwn) {
  const auto graph = graph::Parse(R"(
input x: i64[4]
const lo: i64[] = 0
const hi: i64[] = 6
y = Clip(x, lo, hi)
output y
)");
  ASSERT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(FindChannelGroups(*graph, MakeScheme(*graph, {})).empty());
}

TEST(Equalize, LeavesWhatIsSeenFromOutside) {
  const graph::Graph graph = Parsed(R"(
input x: f32[2,3,8,8]
const w0: f32[4,3,1,1] = random(1, -1, 1)
const w1: f32[4,4,1,1] = random(2, -1, 1)
const w2: f32[4,4,1,1] = random(3, -1, 1)
a = Conv(x, w0)
b = Conv(a, w1)
c = Sigmoid(b)
y = Conv(c, w2)
output y
output a
)");
  EXPECT_TRUE(FindChannelGroups(graph, MakeScheme(graph, {})).empty());
}

TEST(Statistics, AreTheSameForAnyNumberOfThreads) {
  const graph::Graph graph = Parsed(kResidual);
  const Seen one = Look(graph, 1), two = Look(graph, 2);
  for (const auto& [name, statistics] : one.statistics) {
    const TensorStatistics& other = two.statistics.at(name);
    EXPECT_EQ(statistics.channel_sum, other.channel_sum) << name;
    EXPECT_EQ(statistics.histogram.max(), other.histogram.max()) << name;
    EXPECT_EQ(statistics.histogram.count(), other.histogram.count()) << name;
  }
}

}  // namespace
}  // namespace pare::compress
