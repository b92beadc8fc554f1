// What is judged layer by layer is what the emulated network computes: the same pairs saturate.
#include "compress/quantize/overflow.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "compress/quantize/write_qdq.h"
#include "graph/text.h"
#include "ops/pairs.h"
#include "passes/pipeline.h"

namespace pare::compress {
namespace {

struct OverflowCase {
  Dims x, w;
  std::string node;  // of d and dw
};

// One layer in integers whose sums go out as floats.
graph::Graph LayerOf(const OverflowCase& c) {
  const auto dims = [](const Dims& d) {
    std::string text;
    for (int64_t size : d) text += Text(text.empty() ? "" : ",", size);
    return text;
  };
  auto graph = graph::Parse(
      Text("input x: f32[", dims(c.x), "]\nconst xs: f32[] = 1.0\nconst xz: u8[] = 3\nconst w: i8[",
           dims(c.w), "] = random(1, -127, 127)\nconst ws: f32[", c.w[0],
           "] = fill(0.5)\nconst wz: i8[", c.w[0],
           "] = fill(0)\nq = QuantizeLinear(x, xs, xz)\nd = DequantizeLinear(q, xs, xz)\n"
           "dw = DequantizeLinear(w, ws, wz) {axis=0}\ny = ",
           c.node, "\noutput y\n"));
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(passes::Simplify(*graph));
  return std::move(*graph);
}

data::Loader Samples(const graph::Graph& graph, Dims shape) {
  shape[0] = 3;
  Tensor x = Tensor::Make(DType::kF32, shape).value();
  std::mt19937 engine(5);
  for (float& value : x.mutable_as<float>()) {
    value = engine() % 3 ? static_cast<float>(engine() % 256) - 3 : 252;
  }
  data::LoaderOptions options;
  options.prefetch = false;
  return data::Loader::Make(data::DatasetOf({{"", x}}, {}).value(), model::InputSpecs(graph),
                            options)
      .value();
}

std::vector<float> Answers(const graph::Graph& graph, const model::Context& context,
                           data::Loader& loader) {
  auto session = model::MakeSession(graph, context).value();
  std::vector<float> answers;
  loader.Rewind();
  while (const auto batch = loader.Next().value()) {
    std::vector<Tensor> outputs(1);
    const Status status = session->Run(batch->inputs, outputs);
    EXPECT_TRUE(status) << status.error().message();
    const auto values = outputs[0].as<float>();
    answers.insert(answers.end(), values.begin(), values.end());
  }
  return answers;
}

double SnrOf(const std::vector<float>& exact, const std::vector<float>& other) {
  double signal = 0, noise = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    signal += double{exact[i]} * double{exact[i]};
    noise += std::pow(double{exact[i]} - double{other[i]}, 2);
  }
  return noise > 0 ? 10 * std::log10(signal / noise) : 200;
}

double JudgedSnr(const graph::Graph& graph, data::Loader& loader, const model::Context& context) {
  Scheme scheme;
  for (graph::NodeId id : graph.Order()) {
    const std::string& op = graph.node(id).op;
    if (op != "Conv" && op != "Gemm") continue;
    scheme.layers.push_back(
        {.node = id, .name = "y", .op = op, .integer = true, .reason = "", .weighted = true});
  }
  EXPECT_EQ(scheme.layers.size(), 1u);
  SilentProgress progress;
  const auto snr = SaturationSnr(graph, scheme, std::span(&loader, 1), context, progress);
  EXPECT_TRUE(snr) << snr.error().message();
  return snr && snr->size() == 1 ? snr->begin()->second : -1;
}

// Its weights rounded anew so that what engines add in 16 bits fits there.
graph::Graph WithFittingPairs(graph::Graph graph) {
  const graph::ValueId id = graph.FindValue("w");
  const Tensor levels = Cast(graph.value(id).data, DType::kF32).value();
  const QuantizedWeights rounded = QuantizeWeights(levels, 0, 7);
  EXPECT_TRUE(ops::PairsFit(rounded.values, 0));
  graph.SetConstant(id, rounded.values);
  return graph;
}

TEST(Overflow, JudgesWhatTheEmulationComputes) {
  const OverflowCase cases[] = {
      {{1, 8, 4, 4}, {5, 8, 1, 1}, "Conv(d, dw)"},
      {{1, 3, 4, 4}, {6, 3, 3, 3}, "Conv(d, dw) {pads=[1,1,1,1]}"},
      {{1, 16, 4, 4}, {9, 16, 3, 3}, "Conv(d, dw) {pads=[1,1,1,1]}"},
      {{1, 6, 4, 4}, {4, 3, 3, 3}, "Conv(d, dw) {group=2, pads=[1,1,1,1]}"},
      {{1, 6, 4, 4}, {6, 1, 3, 3}, "Conv(d, dw) {group=6, pads=[1,1,1,1]}"},
      {{1, 27}, {10, 27}, "Gemm(d, dw) {transB=1}"},
  };
  for (const OverflowCase& c : cases) {
    SCOPED_TRACE(c.node + " " + DimsText(c.w));
    const graph::Graph graph = LayerOf(c);
    data::Loader loader = Samples(graph, c.x);
    model::Context exact = model::Context::Make(1), saturating = exact;
    saturating.saturating = true;
    const auto expected = Answers(graph, exact, loader);
    const double snr = SnrOf(expected, Answers(graph, saturating, loader));
    EXPECT_LT(snr, 60);
    EXPECT_NEAR(JudgedSnr(graph, loader, exact), snr, 1e-3);

    const graph::Graph in_pairs = WithFittingPairs(graph);
    EXPECT_EQ(Answers(in_pairs, exact, loader), Answers(in_pairs, saturating, loader));
    EXPECT_EQ(JudgedSnr(in_pairs, loader, exact), 200);
  }
}

}  // namespace
}  // namespace pare::compress
