// Where the roundings go, and that what is trained so is what is written.
#include "compress/quantize/fake_quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "graph/text.h"
#include "passes/pipeline.h"
#include "train/parameters.h"

namespace pare::compress {
namespace {

using graph::Graph;

Calibration Calibrated() {
  Calibration calibration;
  calibration.graph = graph::Parse(R"(
input x: f32[1,2,4,4]
const w0: f32[3,2,3,3] = random(1, -1, 1)
const b0: f32[3] = random(3, -1, 1)
const w1: f32[2,3,1,1] = random(2, -1, 1)
a = Conv(x, w0, b0)
r = Relu(a)
m = MaxPool(r) {kernel_shape=[2,2]}
y = Conv(m, w1)
output y
)")
                          .value();
  EXPECT_TRUE(passes::Simplify(calibration.graph));
  for (const char* name : {"x", "r", "m", "y"}) {
    TensorStatistics& statistics = calibration.statistics[name];
    const float values[] = {-2, 2, 0.5f, 4};
    statistics.histogram.Add(values);
    statistics.channel_sum = statistics.channel_square = {0, 0, 0};
    statistics.channel_max = {1, 1, 1};
    statistics.per_channel = 4;
  }
  return calibration;
}

Quantization Decided(int bits) {
  Variant variant;
  variant.calibrator = Calibrator::kMinMax;
  variant.bias_correction = false;
  variant.weight_bits = {{"r", bits}, {"y", bits}};
  auto decided = Decide(Calibrated(), variant);
  EXPECT_TRUE(decided) << decided.error().message();
  return *decided;
}

Tensor Answer(const Graph& graph, const Tensor& x) {
  const auto session = model::MakeSession(graph, model::Context::Make(1)).value();
  std::vector<Tensor> outputs(1);
  const Status status = session->Run({&x, 1}, outputs);
  EXPECT_TRUE(status) << status.error().message();
  return outputs[0];
}

Tensor Picture() {
  std::vector<float> values;
  for (int i = 0; i < 32; ++i) values.push_back(static_cast<float>(i * 7 % 32) / 8 - 1.5f);
  return Tensor::Of<float>({1, 2, 4, 4}, std::span<const float>(values));
}

// By node: its operator, and the names that it reads.
std::string Wiring(const Graph& graph) {
  std::string text;
  for (graph::NodeId id : graph.Order()) {
    const graph::Node& node = graph.node(id);
    text += graph.value(node.outputs[0]).name + " = " + node.op + "(";
    for (size_t i = 0; i < node.inputs.size(); ++i)
      text += (i ? ", " : "") + graph.value(node.inputs[i]).name;
    text += ")\n";
  }
  return text;
}

TEST(FakeQuantize, StandsWherePairsWouldStand) {
  const Quantization quantization = Decided(4);
  const auto inserted = InsertFakeQuantize(quantization);
  ASSERT_TRUE(inserted) << inserted.error().message();
  const std::string wiring = Wiring(inserted->graph);
  for (const char* line :
       {"x_rounded = pare.FakeQuantize(x, x_scale)", "w0_rounded = pare.FakeQuantize(w0, w0_scale)",
        "a = Conv(x_rounded, w0_rounded, b0)", "r = Relu(a)",
        "r_rounded = pare.FakeQuantize(r, r_scale)", "m = MaxPool(r_rounded)",
        // The pool moves values alone: both sides share the scale.
        "m_rounded = pare.FakeQuantize(m, r_scale)", "y = Conv(m_rounded, w1_rounded)"})
    EXPECT_NE(wiring.find(std::string(line) + "\n"), std::string::npos) << line << "\n" << wiring;
  EXPECT_EQ(inserted->Ratios().size(), 5u);
  const graph::Node& weights =
      *inserted->graph.producer_of(inserted->graph.FindValue("w0_rounded"));
  EXPECT_EQ(weights.attrs.i("lo", 0), -7);
  EXPECT_EQ(weights.attrs.i("hi", 0), 7);
  EXPECT_EQ(weights.attrs.i("axis", -1), 0);
  EXPECT_FALSE(weights.attrs.has("fit_pairs"));
}

// As in the file that is written.
TEST(FakeQuantize, AnInputThatIsAnOutputTooStaysUnrounded) {
  Calibration calibration = Calibrated();
  Graph& graph = calibration.graph;
  graph.AddOutput(graph.FindValue("x"), "x");
  Variant variant;
  variant.calibrator = Calibrator::kMinMax;
  variant.bias_correction = false;
  const auto inserted = InsertFakeQuantize(Decide(calibration, variant).value());
  ASSERT_TRUE(inserted) << inserted.error().message();
  const Graph& trained = inserted->graph;
  EXPECT_EQ(trained.outputs()[1].value, trained.inputs()[0]);
  EXPECT_EQ(trained.value(trained.outputs()[0].value).name, "y_rounded");
}

TEST(FakeQuantize, IsTheQuantizationThatItWasMadeFrom) {
  for (const int bits : {8, 7, 4}) {
    const Quantization quantization = Decided(bits);
    const auto inserted = InsertFakeQuantize(quantization);
    ASSERT_TRUE(inserted) << inserted.error().message();
    const auto taken = TakeFakeQuantize(quantization, *inserted, inserted->graph);
    ASSERT_TRUE(taken) << taken.error().message();
    EXPECT_EQ(taken->params, quantization.params);
    for (const auto& [node, weights] : quantization.weights) {
      EXPECT_EQ(taken->weights.at(node)->scales, weights->scales);
      EXPECT_EQ(std::memcmp(taken->weights.at(node)->values.data(), weights->values.data(),
                            weights->values.bytes()),
                0);
    }
  }
}

// What training might make of it: other scales, weights and biases.
Graph Moved(const FakeQuantized& inserted) {
  Graph trained = inserted.graph;
  const auto scaled = [&](graph::ValueId id, float by, float add) {
    const Tensor& before = trained.value(id).data;
    Tensor after = Tensor::Of<float>(before.shape(), before.as<float>());
    for (float& value : after.mutable_as<float>()) value = value * by + add;
    trained.SetConstant(id, after);
  };
  for (const FakeQuantized::Scale& scale : inserted.of_groups) scaled(scale.ratio, 1, -0.1f);
  for (const auto& [node, scale] : inserted.of_weights) scaled(scale.ratio, 1, -0.4f);
  for (const char* name : {"w0", "w1", "b0"}) scaled(trained.FindValue(name), 0.9f, 0.05f);
  return trained;
}

// What the layers of the trained graph compute with, where weights and scales are parameters.
std::map<graph::NodeId, Tensor> RoundedWeights(const FakeQuantized& inserted, Graph trained) {
  std::vector<graph::ValueId> parameters;
  std::vector<graph::NodeId> layers;
  for (const auto& [layer, scale] : inserted.of_weights) {
    const graph::ValueId rounded = trained.node(layer).inputs[1];
    parameters.push_back(trained.producer_of(rounded)->inputs[0]);
    parameters.push_back(scale.ratio);
    layers.push_back(layer);
    trained.AddOutput(rounded, trained.value(rounded).name);
  }
  const Graph step = train::WithParameters(trained, parameters).value();
  const auto session = model::MakeSession(step, model::Context::Make(1)).value();
  std::vector<Tensor> outputs(1 + layers.size());
  const Tensor x = Picture();
  EXPECT_TRUE(session->Run({&x, 1}, outputs));
  std::map<graph::NodeId, Tensor> weights;
  for (size_t i = 0; i < layers.size(); ++i) weights[layers[i]] = outputs[i + 1];
  return weights;
}

// How many differ from those of 8 bits with the same scales.
int LoweredLevels(const Quantization& quantization) {
  int lowered = 0;
  for (const auto& [layer, weights] : quantization.weights) {
    if (weights->bits < 7) continue;
    const Graph& graph = quantization.graph;
    const Tensor& exact = graph.value(graph.node(layer).inputs[1]).data;
    const Tensor plain = RoundWeights(exact, weights->channel_axis, 8, weights->scales).values;
    for (int64_t i = 0; i < exact.count(); ++i)
      lowered += plain.as<int8_t>()[i] != weights->values.as<int8_t>()[i];
  }
  return lowered;
}

TEST(FakeQuantize, WeightsAreThoseThatWereTrained) {
  for (const int bits : {8, 7, 4}) {
    SCOPED_TRACE(bits);
    const Quantization quantization = Decided(bits);
    const auto inserted = InsertFakeQuantize(quantization);
    ASSERT_TRUE(inserted) << inserted.error().message();
    const Graph trained = Moved(*inserted);
    const auto taken = TakeFakeQuantize(quantization, *inserted, trained);
    ASSERT_TRUE(taken) << taken.error().message();
    const auto computed = RoundedWeights(*inserted, trained);
    EXPECT_EQ(LoweredLevels(*taken) > 0, bits == 7);  // or equality would say nothing
    ASSERT_EQ(computed.size(), 2u);
    for (const auto& [layer, weights] : computed) {
      const QuantizedWeights& integers = *taken->weights.at(layer);
      EXPECT_NE(integers.scales, quantization.weights.at(layer)->scales);
      const Tensor expected = DequantizeWeights(integers);
      ASSERT_EQ(weights.shape(), expected.shape());
      for (int64_t i = 0; i < expected.count(); ++i)
        EXPECT_EQ(weights.as<float>()[i], expected.as<float>()[i]) << i;
    }
  }
}

// Integers then give what the float graph gave, but for a last rounding that falls to the other
// side.
TEST(FakeQuantize, IntegersGiveWhatWasTrained) {
  for (const int bits : {7, 4}) {
    SCOPED_TRACE(bits);
    const Quantization quantization = Decided(bits);
    const auto inserted = InsertFakeQuantize(quantization);
    ASSERT_TRUE(inserted) << inserted.error().message();
    const Graph trained = Moved(*inserted);
    auto taken = TakeFakeQuantize(quantization, *inserted, trained);
    ASSERT_TRUE(taken) << taken.error().message();
    const float step = taken->params.back().scale;
    EXPECT_NE(taken->params, quantization.params);
    const auto built = Write(*std::move(taken));
    ASSERT_TRUE(built) << built.error().message();
    const Tensor x = Picture(), expected = Answer(trained, x), actual = Answer(built->graph, x);
    ASSERT_EQ(expected.shape(), actual.shape());
    int others = 0;
    for (int64_t i = 0; i < expected.count(); ++i) {
      EXPECT_NEAR(actual.as<float>()[i], expected.as<float>()[i], 1.01 * step);
      others += std::fabs(actual.as<float>()[i] - expected.as<float>()[i]) > 0.01f * step;
    }
    EXPECT_LE(others, 1);
  }
}

}  // namespace
}  // namespace pare::compress
