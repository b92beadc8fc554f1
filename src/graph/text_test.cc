#include "graph/text.h"

#include <gtest/gtest.h>

#include "graph/verify.h"

namespace pare::graph {
namespace {

TEST(Text, PrintGivesBackWhatWasParsed) {
  const char* text =
      R"(graph "a net"
opset 17
opset com.microsoft 1
input x: f32[N,3,?,8]
input input: ?[2]
input "odd\n\"\x01 name": f32
const w: f32[2] = [0.1,-2.5e-08]
const c: i64[] = -9223372036854775808
a: f32[N,"4 x",8], b = Some.Op(x, _, w, c, "_") {floats=floats, i=-3, l=[1,2], m=[1.0,inf], one=1.0, s="a b", ss=["p","q"], t=f16[2] = [1,2]}  # /layer/conv.1
_, _b = Other.Op(x)
const f: f32[5,5] = fill(0.25)
"onnx::Add_1" = Add(a, f)
output "onnx::Add_1" as result
output b
)";
  const std::string defined =
      std::string(text).replace(std::string(text).find("const w"), 0, "input \"_\": bool[]\n");
  const auto graph = Parse(defined);
  ASSERT_TRUE(graph) << graph.error().message();
  const Status verified = Verify(*graph);
  EXPECT_TRUE(verified) << verified.error().message();
  EXPECT_EQ(Print(*graph), defined);
}

TEST(Text, ConstantsAreClampedAndLargeOnesHashedOrLeftOut) {
  const auto graph = Parse("const w: f32[20] = random(3, -1, 1)\noutput w\n");
  ASSERT_TRUE(graph);
  EXPECT_NE(Print(*graph).find("= hash("), std::string::npos);
  EXPECT_EQ(Print(*graph, {.hashes = false}), "const w: f32[20] = ...\noutput w\n");
  EXPECT_EQ(Print(*Parse("const w: u8[3] = [-1,255,256]\noutput w\n")),
            "const w: u8[3] = [0,255,255]\noutput w\n");
  EXPECT_EQ(Print(*Parse("const w: u8[20] = iota()\noutput w\n"), {.max_values = 20}),
            "const w: u8[20] = [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]\noutput w\n");
}

TEST(Text, ErrorsNameTheLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"input x: f99", "line 1: \"f99\" is no element type at column 13"},
      {"\ninput x\ny = Relu(z)", "line 3: \"z\" is used before it is made"},
      {"input x\ninput x", "line 2: the name \"x\" is given twice"},
      {"const c: f32[2] = [1]", "line 1: ',' is expected at column 21"},
      {"const c: f32[99999999999,99] = fill(1)", "line 1: the constant is too large for a text"},
      {"const c: f32[N] = fill(1)",
       "line 1: a constant needs an element type and a shape of sizes"},
      {"const c: i64[] = 1.5", "line 1: \"1.5\" is no number that fits here at column 21"},
      {"input \"x", "line 1: a string has no closing quote"},
      {"input x\ny = Op(x) {a=[1,2.0]}", "line 2: a list has elements of different types"},
      {"input x\ny = Op(x) {a=1} z", "line 2: the rest of the line is not understood at column 17"},
  };
  for (const auto& [text, message] : cases) {
    const auto graph = Parse(text);
    ASSERT_FALSE(graph) << text;
    EXPECT_EQ(graph.error().message(), message);
  }
}

TEST(Verify, FindsWhatIsBroken) {
  const char* text = "input x: f32[2]\ny = Relu(x)\nz = Neg(y)\noutput z\n";
  struct Case {
    const char* message;
    void (*damage)(Graph&);
  };
  const Case cases[] = {
      {"the graph has a cycle", [](Graph& g) { g.SetInput(NodeId{0}, 0, g.FindValue("z")); }},
      {"the value \"y\" is used, but its producer was removed",
       [](Graph& g) { g.mutable_node(NodeId{0}).live = false; }},
      {"the value \"y\" lists a use that is none",
       [](Graph& g) { g.mutable_node(NodeId{1}).inputs[0] = g.FindValue("x"); }},
      {"two outputs are called \"z\"", [](Graph& g) { g.AddOutput(g.FindValue("y"), "z"); }},
      {"the value \"x\" is not what its producer makes",
       [](Graph& g) { g.mutable_node(NodeId{0}).outputs[0] = g.FindValue("x"); }},
  };
  for (const Case& c : cases) {
    Graph graph = Parse(text).value();
    ASSERT_TRUE(Verify(graph));
    c.damage(graph);
    const Status status = Verify(graph);
    ASSERT_FALSE(status) << c.message;
    EXPECT_EQ(status.error().message(), c.message);
  }
}

TEST(Verify, AsksTheOpTable) {
  const Graph graph = Parse("input x: f32[2]\ny = Relu(x)  # r\noutput y\n").value();
  const Status status = Verify(
      graph, [](const Graph&, const Node&) -> Status { return Unsupported("no such operator"); });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "node r (Relu): no such operator");
}

}  // namespace
}  // namespace pare::graph
