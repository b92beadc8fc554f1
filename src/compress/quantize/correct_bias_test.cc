// A bias takes back by how much rounded weights shift their outputs, wherever the bias stands.
#include "compress/quantize/correct_bias.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "compress/quantize/builder.h"
#include "graph/text.h"
#include "model/model.h"
#include "ops/node_view.h"
#include "passes/pipeline.h"

namespace pare::compress {
namespace {

constexpr int64_t kSamples = 6;

// Sequences whose channels are far from 0 on average, each by another distance.
std::vector<data::Loader> Samples(const graph::Graph& graph) {
  Tensor x = Tensor::Make(DType::kF32, {kSamples, 5, 4}).value();
  std::mt19937 engine(7);
  std::normal_distribution<float> normal;
  const auto values = x.mutable_as<float>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = normal(engine) + static_cast<float>(i % 4) * 3;
  std::vector<data::Loader> loaders;
  loaders.push_back(data::Loader::Make(data::DatasetOf({{"", x}}, {}).value(),
                                       model::InputSpecs(graph), {0, 1, 2, 3, 4, 5},
                                       {.batch = 1, .preprocess = {}, .prefetch = false})
                        .value());
  return loaders;
}

class CorrectBiasTest : public ::testing::Test {
 protected:
  // A calibrated graph of `layers`, which read x.
  Calibration Calibrated(std::string_view layers) {
    Calibration calibration;
    auto graph = graph::Parse(Text("input x: f32[n,5,4]\n", layers));
    EXPECT_TRUE(graph) << graph.error().message();
    calibration.graph = std::move(*graph);
    EXPECT_TRUE(passes::RunPasses(calibration.graph, passes::QuantizePasses()));
    auto loaders = Samples(calibration.graph);
    const Scheme scheme = MakeScheme(calibration.graph, {});
    calibration.statistics =
        Collect(
            calibration.graph, ValuesToObserve(calibration.graph, scheme), loaders, context_,
            kManyPositions, [](size_t, data::Batch, std::vector<Tensor>) {}, progress_)
            .value();
    return calibration;
  }

  // By how much the rounded weights alone shift the first output on average, the worst channel.
  double WorstShift(const Calibration& calibration, bool corrected) {
    Variant variant;
    variant.bias_correction = corrected;
    Quantization q = Decide(calibration, variant).value();
    for (const auto& [id, weights] : q.weights) {
      q.graph.SetInput(id, 1, q.graph.AddConstant("rounded", DequantizeWeights(*weights)));
    }
    auto loaders = Samples(calibration.graph);
    const auto answers = Answers(calibration.graph, loaders[0]);
    const auto shifted = Answers(q.graph, loaders[0]);
    const int64_t channels =
        calibration.graph.value(calibration.graph.outputs()[0].value).type.shape->back().size();
    std::vector<double> sums(channels, 0);
    for (size_t i = 0; i < answers.size(); ++i) {
      const auto a = answers[i].as<float>(), b = shifted[i].as<float>();
      for (size_t k = 0; k < a.size(); ++k) sums[k % channels] += double{b[k]} - a[k];
    }
    double worst = 0;
    for (const double sum : sums) worst = std::max(worst, std::fabs(sum));
    return worst / (5 * kSamples);
  }

  std::vector<Tensor> Answers(const graph::Graph& graph, data::Loader& loader) {
    const auto session = model::MakeSession(graph, context_).value();
    std::vector<Tensor> answers;
    loader.Rewind();
    while (const auto batch = loader.Next().value()) {
      std::vector<Tensor> outputs(graph.outputs().size());
      EXPECT_TRUE(session->Run(batch->inputs, outputs));
      answers.push_back(outputs[0]);
    }
    return answers;
  }

  const model::Context context_ = model::Context::Make(1);
  SilentProgress progress_;
};

TEST_F(CorrectBiasTest, OfAProductOfSequencesTheAddBehindItHasTheBias) {
  const Calibration calibration = Calibrated(R"(
const w: f32[4,3] = random(1, -1, 1)
const b: f32[3] = [0.5, -4, 0.1]
p = MatMul(x, w)
y = Add(b, p)
output y
)");
  EXPECT_TRUE(calibration.statistics.at("x").in_rows);
  EXPECT_GT(WorstShift(calibration, false), 1e-3);
  EXPECT_LT(WorstShift(calibration, true), 1e-5);
}

TEST_F(CorrectBiasTest, AProductWithoutABiasStaysAsItIs) {
  // Neither a number for all, nor a product that something else reads, too, is a bias of channels.
  for (const char* layers : {
           "const w: f32[4,3] = random(1, -1, 1)\nconst b: f32[] = 0.5\np = MatMul(x, w)\n"
           "y = Add(p, b)\noutput y\n",
           "const w: f32[4,3] = random(1, -1, 1)\nconst b: f32[3] = fill(0.5)\np = MatMul(x, w)\n"
           "y = Add(p, b)\noutput y\noutput p\n",
       }) {
    const Calibration calibration = Calibrated(layers);
    EXPECT_GT(WorstShift(calibration, true), 1e-3) << layers;
    EXPECT_EQ(WorstShift(calibration, true), WorstShift(calibration, false)) << layers;
  }
}

// A convolution's channels are another dimension of the same value than a product's, also where
// there are as many.
TEST_F(CorrectBiasTest, OfWhatAConvolutionReadsTooTheProductStaysAsItIs) {
  const Calibration calibration = Calibrated(R"(
const shape: i64[4] = [0, 4, 5, 1]
const w: f32[4,3] = random(1, -1, 1)
const b: f32[3] = fill(0.5)
const c: f32[6,4,1,1] = random(2, -1, 1)
t = Transpose(x) {perm=[0,2,1]}
u = Reshape(t, shape)
v = Concat(u, u, u, u) {axis=3}
r = Relu(v)
p = MatMul(r, w)
y = Add(p, b)
z = Conv(r, c)
output y
output z
)");
  EXPECT_FALSE(calibration.statistics.at("r").in_rows);
  EXPECT_EQ(calibration.statistics.at("r").ChannelMeans().size(), 4u);
  const Quantization q = Decide(calibration, {}).value();
  for (const auto& [id, weights] : q.weights)
    EXPECT_EQ(std::ssize(weights->mean_shift), q.graph.node(id).op == "Conv" ? 6 : 0);
}

TEST_F(CorrectBiasTest, WeightsOfNoChannelsShiftNothing) {
  const Calibration calibration = Calibrated(
      "const w: f32[4,0] = random(1, -1, 1)\nconst v: f32[4,3] = random(2, -1, 1)\n"
      "y = MatMul(x, w)\nz = MatMul(x, v)\noutput y\noutput z\n");
  const Quantization q = Decide(calibration, {}).value();
  ASSERT_EQ(q.weights.size(), 2u);
  for (const auto& [id, weights] : q.weights)
    EXPECT_EQ(std::ssize(weights->mean_shift), weights->values.count() == 0 ? 0 : 3);
}

TEST(OutputLayer, IsFoundBehindMovesAndTheCastToTheOutputsType) {
  auto graph = graph::Parse(R"(
input x: f32[2,4]
const w: f32[4,3] = random(1, -1, 1)
a = Gemm(x, w)
b = Flatten(a)
c = Cast(b) {to=10}
d = Cast(c) {to=1}
t = Transpose(a) {perm=[1,0]}
e = Cast(t) {to=10}
output a
output c
output d
output e
)");
  ASSERT_TRUE(graph) << graph.error().message();
  const Status inferred = ops::InferTypes(*graph);
  ASSERT_TRUE(inferred) << inferred.error().message();
  const Scheme scheme = MakeScheme(*graph, {});
  for (const int index : {0, 1, 2}) {
    const Layer* layer = OutputLayer(*graph, scheme, index);
    ASSERT_TRUE(layer) << index;
    EXPECT_EQ(layer->name, "a");
  }
  EXPECT_EQ(OutputLayer(*graph, scheme, 3), nullptr);
}

}  // namespace
}  // namespace pare::compress
