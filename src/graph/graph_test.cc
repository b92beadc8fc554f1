#include "graph/graph.h"

#include <gtest/gtest.h>

namespace pare::graph {
namespace {

const TensorType kType{DType::kF32, Shape{2}};

TEST(Graph, OrderPutsProducersFirstWhateverTheOrderOfMaking) {
  Graph g;
  const ValueId x = g.AddInput("x", kType);
  const NodeId late = g.AddNode("Relu", {x}, {"late"});
  const NodeId early = g.AddNode("Neg", {x}, {"early"});
  g.SetInput(late, 0, g.node(early).outputs[0]);
  EXPECT_EQ(g.Order(), (std::vector<NodeId>{early, late}));
}

TEST(Graph, ReplaceUsesMovesNodesAndOutputs) {
  Graph g;
  const ValueId x = g.AddInput("x", kType);
  const ValueId y = g.node(g.AddNode("Identity", {x}, {"y"})).outputs[0];
  const NodeId user = g.AddNode("Relu", {y}, {"z"});
  g.AddOutput(y, "y");
  g.ReplaceUses(y, x);
  EXPECT_EQ(g.node(user).inputs[0], x);
  EXPECT_EQ(g.outputs()[0].value, x);
  EXPECT_EQ(g.outputs()[0].name, "y");
  EXPECT_EQ(g.RemoveDead(), 2);
  EXPECT_TRUE(g.value(x).uses.empty());
}

TEST(Graph, MakeConstantRemovesTheProducerWhenNothingElseIsUsed) {
  Graph g;
  const ValueId c = g.AddConstant("c", Tensor::Of<float>({2}, {1, 2}));
  const NodeId neg = g.AddNode("Neg", {c}, {"n"});
  const ValueId n = g.node(neg).outputs[0];
  g.AddOutput(n, "n");
  g.MakeConstant(n, Tensor::Of<float>({2}, {-1, -2}));
  EXPECT_FALSE(g.node(neg).live);
  EXPECT_TRUE(g.is_constant(n));
  EXPECT_EQ(g.FindValue("n"), n);
  EXPECT_TRUE(g.value(c).uses.empty());
}

TEST(Graph, NamesStayUnique) {
  Graph g;
  g.AddInput("x", kType);
  const ValueId other = g.AddInput("x", kType);
  EXPECT_NE(g.value(other).name, "x");
  EXPECT_EQ(g.FindValue(g.value(other).name), other);
}

}  // namespace
}  // namespace pare::graph
