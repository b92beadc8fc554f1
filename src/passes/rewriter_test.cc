#include "passes/rewriter.h"

#include <gtest/gtest.h>

#include "graph/text.h"
#include "graph/verify.h"
#include "passes/pipeline.h"

namespace pare::passes {
namespace {

using graph::Graph;
using graph::ValueId;

Graph Parsed(const char* text) { return graph::Parse(text).value(); }

constexpr char kChain[] = R"(input x: f32[N,4]
a = Neg(x)  # first
b = Neg(a)  # second
c = Abs(b)  # third
output c as result
)";

bool FuseIntoOne(const Match& m, Patch& p) {
  return p.Replace(m["y"], NodeSpec{"Relu", {m["x"]}, {}, m.node("y").name});
}
const Rule kFuse{"fuse", Op({"Abs"}, "y")(Op({"Neg"})(Op({"Neg"}, "inner")(Any("x"))).UsedOnce()),
                 FuseIntoOne};

TEST(Rewrite, TheLastNameStaysAndTheOriginTellsWhereFrom) {
  Graph graph = Parsed(kChain);
  PassContext context(graph);
  ASSERT_TRUE(context.Infer());
  ASSERT_TRUE(Rewrite(context, std::span(&kFuse, 1)));
  EXPECT_EQ(graph::Print(graph),
            "input x: f32[N,4]\nc: f32[N,4] = Relu(x)  # third\noutput c as result\n");
  EXPECT_EQ(graph.producer_of(graph.FindValue("c"))->origin, "third, second, first | fuse");
  EXPECT_EQ(context.TakeCounts().at("fuse"), 1);
  EXPECT_TRUE(graph::Verify(graph));
}

TEST(Rewrite, WhatIsPinnedStays) {
  Graph graph = Parsed(kChain);
  graph.SetPinned(graph.FindValue("b"), true);
  PassContext context(graph);
  ASSERT_TRUE(context.Infer());
  ASSERT_TRUE(Rewrite(context, std::span(&kFuse, 1)));
  EXPECT_TRUE(context.TakeCounts().empty());

  // The last of the chain may be pinned: the new node computes what it held.
  graph = Parsed(kChain);
  graph.SetPinned(graph.FindValue("c"), true);
  ASSERT_TRUE(context.Infer());
  ASSERT_TRUE(Rewrite(context, std::span(&kFuse, 1)));
  EXPECT_TRUE(graph.value(graph.FindValue("c")).pinned);
  EXPECT_EQ(graph.producer_of(graph.FindValue("c"))->op, "Relu");
}

TEST(Rewrite, StopsAfterSoManyPatches) {
  for (int64_t limit : {0, 1, 2, 3}) {
    Graph graph = Parsed(
        "input x: f32[4]\na = Identity(x)\nb = Relu(a)\nc = Identity(b)\nd = Relu(c)\n"
        "e = Identity(d)\ny = Relu(e)\noutput y\n");
    PassOptions options;
    options.max_patches = limit;
    ASSERT_TRUE(RunPasses(graph, std::span(FindPass("RemoveIdentities"), 1), nullptr, options));
    EXPECT_EQ(graph.Order().size(), 6 - static_cast<size_t>(limit));
  }
}

TEST(Rewrite, RulesAndPassesCanBeSwitchedOff) {
  for (const char* off : {"-RemoveIdentities", "-FoldPad,-remove-identity"}) {
    Graph graph = Parsed("input x: f32[4]\na = Identity(x)\ny = Relu(a)\noutput y\n");
    PassOptions options;
    options.switches = off;
    ASSERT_TRUE(Simplify(graph, nullptr, options));
    EXPECT_EQ(graph.Order().size(), 2u) << off;
  }
}

TEST(Rewrite, AWrongRuleIsAnErrorThatNamesIt) {
  struct Case {
    Rule rule;
    const char* message;
  };
  const Case cases[] = {
      {{"change-type", Op({"Neg"}, "y")(Any("x")),
        [](const Match& m, Patch& p) { return p.Replace(m["y"], p.Add("Shape", {m["x"]})); }},
       "node first (Neg): rule change-type: it replaces f32[N,4] by i64[2]"},
      {{"lose-operand", Op({"Neg"}, "y")(Any("x")),
        [](const Match& m, Patch& p) { return p.Replace(m["y"], p.Add("Gemm", {m["x"]})); }},
       "node first (Neg): rule lose-operand: node Gemm (Gemm): the input \"b\" is missing"},
      {{"no-end", Op({"Neg"}, "y")(Any("x")),
        [](const Match& m, Patch& p) { return p.Replace(m["y"], p.Add("Neg", {m["x"]})); }},
       "the rule no-end comes to no end"},
  };
  for (const Case& c : cases) {
    Graph graph = Parsed(kChain);
    PassContext context(graph);
    ASSERT_TRUE(context.Infer());
    const Status status = Rewrite(context, std::span(&c.rule, 1));
    ASSERT_FALSE(status) << c.message;
    EXPECT_EQ(status.error().message(), c.message);
  }
}

TEST(Pattern, OperandsCommuteAndNamesMeanOneValue) {
  const Graph graph = Parsed(
      "input x: f32[4]\ninput z: f32[4]\nconst one: f32[] = 1\nconst many: f32[4] = fill(1)\n"
      "s = Sigmoid(x)\nt = Mul(s, x)\nu = Mul(s, z)\nv = Add(one, t)\nw = Add(t, many)\n"
      "output u\noutput v\noutput w\n");
  const Pattern gate = Op({"Mul"})(Any("x"), Op({"Sigmoid"})(Any("x")));
  const auto matches = [&](const Pattern& pattern, const char* value) {
    Match match(graph);
    return pattern.Matches(graph.FindValue(value), match);
  };
  EXPECT_TRUE(matches(gate, "t"));
  EXPECT_FALSE(matches(gate, "u"));
  EXPECT_TRUE(matches(Op({"Add"})(gate, Scalar(1)), "v"));
  EXPECT_FALSE(matches(Op({"Add"})(gate, Scalar(1)), "w"));
  EXPECT_FALSE(matches(Op({"Add"})(gate.UsedOnce(), Scalar(1)), "v"));
  EXPECT_TRUE(matches(Op({"Clip", "Add"})(Any("a"), Any("b"), Any("c").Optional()), "v"));
}

TEST(Passes, AThousandNodesAreRewrittenWhole) {
  std::string text =
      "input x: f32[N,4,8,8]\nconst w: f32[4,4,3,3] = random(1, -1, 1)\n"
      "const s: f32[4] = [1,2,3,4]\n";
  std::string last = "x";
  for (int i = 0; i < 250; ++i) {
    text += Text("c", i, " = Conv(", last, ", w) {pads=[1,1,1,1]}\n");
    text += Text("b", i, " = BatchNormalization(c", i, ", s, s, s, s)\n");
    text += Text("r", i, " = Relu(b", i, ")\n");
    text += i % 2 ? Text("a", i, " = Add(r", i, ", r", i - 1, ")\n")
                  : Text("a", i, " = Identity(r", i, ")\n");
    last = Text("a", i);
  }
  Graph graph = Parsed((text + "output " + last + "\n").c_str());
  PassLog log;
  ASSERT_TRUE(Simplify(graph, &log));
  ASSERT_TRUE(Optimize(graph, &log));
  EXPECT_LT(graph.Order().size(), 400u);
}

}  // namespace
}  // namespace pare::passes
