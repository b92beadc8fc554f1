#include "compress/reasons.h"

#include <gtest/gtest.h>

#include "graph/text.h"
#include "ops/node_view.h"

namespace pare::compress {
namespace {

graph::Graph Network() {
  auto graph = graph::Parse(
      "opset 17\ninput x: f32[N,4]\nconst w: f32[4,4] = random(1, -1, 1)\n"
      "a: f32[N,4] = MatMul(x, w)\ny: f32[N,4] = Softmax(a)\noutput y\n");
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(ops::InferTypes(*graph));
  return *graph;
}

LayerReport Layer(std::string name, std::string precision, std::string reason = "") {
  return {.name = std::move(name),
          .op = "MatMul",
          .precision = std::move(precision),
          .reason = std::move(reason)};
}

TEST(ExplainLayers, KnowsWhatTheWriterKnew) {
  const graph::Graph a = Network();
  graph::Graph b = a;
  WriteReasons(b, {Layer("a", "int7", "would saturate"), Layer("y", "float32", "slow\there"),
                   Layer("line\nfeed", "float32", "lost"), Layer("x", "int8")});
  std::vector<LayerReport> layers = {Layer("a", "int7"), Layer("y", "float32"), Layer("x", "int8")};
  ExplainLayers(a, b, layers);
  EXPECT_EQ(layers[0].reason, "would saturate");
  EXPECT_EQ(layers[1].reason, "slow\there");
  EXPECT_EQ(layers[2].reason, "");
}

TEST(ExplainLayers, AsksTheRulesAboutFilesFromElsewhere) {
  const graph::Graph a = Network();
  std::vector<LayerReport> layers = {Layer("a", "float32"), Layer("y", "float32"),
                                     Layer("z", "int8")};
  ExplainLayers(a, a, layers);
  EXPECT_NE(layers[0].reason.find("could be int8"), std::string::npos) << layers[0].reason;
  EXPECT_NE(layers[1].reason.find("8 bits"), std::string::npos) << layers[1].reason;
  EXPECT_EQ(layers[2].reason, "");

  layers = {Layer("a", "float32", "in 16 bits"), Layer("y", "float32")};
  const auto b = graph::Parse(
      "input x: f32[N,4]\nq, s, z = DynamicQuantizeLinear(x)\noutput q\noutput s\noutput z\n");
  ASSERT_TRUE(b) << b.error().message();
  ExplainLayers(a, *b, layers);
  EXPECT_EQ(layers[0].reason, "in 16 bits");
  EXPECT_NE(layers[1].reason, "");

  layers = {Layer("a", "float32"), Layer("y", "float32")};  // a float model needs no reasons
  ExplainLayers(a, a, layers);
  EXPECT_EQ(layers[0].reason + layers[1].reason, "");
}

TEST(IsQuantized, BytesThatAFloatModelReadsOrLooksUpDoNotMakeItSo) {
  const auto of = [](std::string_view layers) {
    auto graph = graph::Parse(Text("const s: f32[] = 0.02\n", layers));
    EXPECT_TRUE(graph) << graph.error().message();
    EXPECT_TRUE(ops::InferTypes(*graph));
    return IsQuantized(*graph);
  };
  EXPECT_FALSE(
      of("input x: u8[N,4]\nconst w: f32[4,4] = random(1, -1, 1)\n"
         "d = DequantizeLinear(x, s)\ny = MatMul(d, w)\noutput y\n"));
  EXPECT_FALSE(
      of("input x: i64[N]\nconst t: i8[9,4] = random(1, -127, 127)\n"
         "const w: f32[4,4] = random(1, -1, 1)\nd = DequantizeLinear(t, s)\n"
         "e = Gather(d, x)\ny = MatMul(e, w)\noutput y\n"));
  // Of two activations there are no weights.
  EXPECT_FALSE(
      of("input x: f32[N,4]\ninput k: u8[4,4]\nd = DequantizeLinear(k, s)\n"
         "y = MatMul(x, d)\noutput y\n"));
  EXPECT_TRUE(
      of("input x: f32[N,4]\nconst w: i8[4,4] = random(1, -127, 127)\n"
         "d = DequantizeLinear(w, s)\nt = Transpose(d) {perm=[1,0]}\n"
         "y = MatMul(x, t)\noutput y\n"));
  EXPECT_TRUE(
      of("input x: f32[N,4]\nq = QuantizeLinear(x, s)\n"
         "y = DequantizeLinear(q, s)\noutput y\n"));
}

}  // namespace
}  // namespace pare::compress
