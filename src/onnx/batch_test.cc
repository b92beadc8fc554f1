#include "onnx/batch.h"

#include <gtest/gtest.h>

#include "onnx/batch_flow.h"
#include "onnx/import.h"
#include "onnx/test_model.h"
#include "ops/op_def.h"

namespace pare::onnx {
namespace {

using namespace test;  // NOLINT
using graph::Graph;

struct Case {
  const char* what;
  Words nodes;
  Words input, output;  // shapes
  const char* freed;    // the output's type afterwards, or a piece of the reason
};

std::string ResultOf(const Case& c) {
  Model model;
  model.nodes = c.nodes;
  model.inputs = {Value("x", 1, c.input)};
  model.outputs = {Value("y", 1, c.output)};
  model.initializers = {
      Floats("w", {3, 3, 1, 1}, std::vector<float>(9, 1)),
      Floats("m", {4, 2}, std::vector<float>(8, 1)),
      Floats("one", {1, 3, 4}, std::vector<float>(12, 1)),
      Floats("v", {4}, std::vector<float>(4, 1)),
      Int64s("to_1_12", {1, 12}),
      Int64s("to_1_rest", {1, -1}),
      Int64s("to_3_4", {3, 4}),
      Int64s("to_1_3_2", {1, 3, 2}),
      Int64s("to_4_1_3", {4, 1, 3}),
      Int64s("two", {2}),
      Int64s("zero", {0}),
      Int64s("first", {1}),
      Floats("rw", {1, 2, 4}, std::vector<float>(8, 1)),
      Floats("rr", {1, 2, 2}, std::vector<float>(4, 1)),
      Floats("h", {1, 1, 2}, {1, 2}),
      Int64s("sizes", {1, 3, 8, 6}),
      Int64s("depth", {5}),
      Floats("off_on", {2}, {0, 1}),
      Int64s("minus_one", {-1}),
  };
  NoExternalFiles none;
  Result<Graph> g = ImportBytes(BytesOf(model.Bytes()), nullptr, none);
  if (!g) return g.error().message();
  const BatchReport report = FreeBatch(*g);
  const auto type = TypeText(g->value(g->outputs()[0].value).type, g->symbols());
  return report.freed ? type : report.reason.empty() ? "was free: " + type : report.reason;
}

TEST(FreeBatch, FollowsTheSamplesThroughTheGraph) {
  const Words image = {"1", "3", "4", "4"}, text = {"1", "3", "4"};
  const Case cases[] = {
      {"convolution and flatten",
       {Node("Conv", {"x", "w"}, {"c"}), Node("Relu", {"c"}, {"r"}), Node("Flatten", {"r"}, {"y"})},
       image,
       {"1", "48"},
       "f32[N,48]"},
      {"reshape with the 1 inside",
       {Node("Reshape", {"x", "to_1_12"}, {"y"})},
       text,
       {"1", "12"},
       "f32[N,12]"},
      {"reshape with 1 and -1",
       {Node("Reshape", {"x", "to_1_rest"}, {"y"})},
       text,
       {"1", "12"},
       "f32[N,12]"},
      {"samples times rows, and back",
       {Node("Reshape", {"x", "to_3_4"}, {"a"}), Node("MatMul", {"a", "m"}, {"b"}),
        Node("Reshape", {"b", "to_1_3_2"}, {"y"})},
       text,
       {"1", "3", "2"},
       "f32[N,3,2]"},
      {"transposed there and back",
       {Node("Transpose", {"x"}, {"a"}, {A("perm", Ints{1, 0, 2})}), Node("Add", {"a", "v"}, {"b"}),
        Node("Transpose", {"b"}, {"y"}, {A("perm", Ints{1, 0, 2})})},
       text,
       text,
       "f32[N,3,4]"},
      {"an operand of one sample", {Node("Add", {"x", "one"}, {"y"})}, text, text, "f32[N,3,4]"},
      {"a target that is computed",
       {Node("Shape", {"x"}, {"s"}), Node("Neg", {"x"}, {"n"}), Node("Reshape", {"n", "s"}, {"y"})},
       text,
       text,
       "f32[N,3,4]"},
      {"an operand that every sample shares",
       {Node("Concat", {"one", "x", "one"}, {"y"}, {A("axis", 1)})},
       text,
       {"1", "9", "4"},
       "f32[N,9,4]"},
      {"states of a recurrent layer",
       {Node("Transpose", {"x"}, {"t"}, {A("perm", Ints{1, 0, 2})}),
        Node("RNN", {"t", "rw", "rr", "", "", "h"}, {"", "last"}, {A("hidden_size", 2)}),
        Node("Squeeze", {"last", "zero"}, {"y"})},
       text,
       {"1", "2"},
       "f32[N,2]"},
      {"free already",
       {Node("Relu", {"x"}, {"y"})},
       {"B", "3", "4"},
       {"B", "3", "4"},
       "was free: f32[B,3,4]"},
      {"softmax over the samples",
       {Node("Softmax", {"x"}, {"y"}, {A("axis", 0)})},
       text,
       text,
       "node y (Softmax): it may mix"},
      {"the batch contracted",
       {Node("Transpose", {"x"}, {"t"}), Node("MatMul", {"t", "x"}, {"y"})},
       {"1", "4"},
       {"4", "4"},
       "node y (MatMul): it may mix"},
      {"an output that does not lead with it",
       {Node("Transpose", {"x"}, {"y"}, {A("perm", Ints{1, 0, 2})})},
       text,
       {"3", "1", "4"},
       "the output y does not have the batch"},
      {"the first sample picked",
       {Node("Slice", {"x", "zero", "first", "zero"}, {"y"})},
       text,
       text,
       "node y (Slice): it may mix"},
      {"the batch squeezed away",
       {Node("Squeeze", {"x", "zero"}, {"y"})},
       text,
       {"3", "4"},
       "node y (Squeeze): it may mix"},
      {"an operator nobody knows",
       {Node("Mystery", {"x"}, {"y"}, {}, "/m")},
       text,
       text,
       "node /m (Mystery): how it treats a batch is not known"},
      {"a batch of two",
       {Node("Relu", {"x"}, {"y"})},
       {"2", "3", "4"},
       {"2", "3", "4"},
       "the input x has a leading dimension of 2"},
  };
  for (const Case& c : cases) {
    const std::string result = ResultOf(c);
    EXPECT_TRUE(result.starts_with(c.freed)) << c.what << ": " << result;
  }
}

TEST(FreeBatch, FollowsOperatorsByTheirOwnRules) {
  const Words image = {"1", "3", "4", "4"}, text = {"1", "3", "4"};
  const Case cases[] = {
      {"element by element",
       {Node("Sinh", {"x"}, {"a"}), Node("Shrink", {"a"}, {"b"}), Node("Atan", {"b"}, {"y"})},
       text,
       text,
       "f32[N,3,4]"},
      {"a resize to sizes",
       {Node("Resize", {"x", "", "", "sizes"}, {"y"})},
       image,
       {"1", "3", "8", "6"},
       "f32[N,3,8,6]"},
      {"sums within a sample",
       {Node("CumSum", {"x", "minus_one"}, {"y"})},
       text,
       text,
       "f32[N,3,4]"},
      {"sums over the samples",
       {Node("CumSum", {"x", "zero"}, {"y"})},
       text,
       text,
       "node y (CumSum): it may mix"},
      {"products of samples",
       {Node("Einsum", {"x", "x"}, {"y"}, {A("equation", "bij,bkj->bik")})},
       text,
       {"1", "3", "3"},
       "f32[N,3,3]"},
      {"samples summed up",
       {Node("Einsum", {"x", "x"}, {"y"}, {A("equation", "bij,bkj->ik")})},
       text,
       {"3", "3"},
       "node y (Einsum): it may mix"},
      {"one-hot rows",
       {Node("ArgMax", {"x"}, {"i"}, {A("axis", 2), A("keepdims", 0)}),
        Node("OneHot", {"i", "depth", "off_on"}, {"y"}, {A("axis", 1)})},
       text,
       {"1", "5", "3"},
       "f32[N,5,3]"},
      {"elements of each sample",
       {Node("ArgMax", {"x"}, {"i"}, {A("axis", 2)}),
        Node("GatherElements", {"x", "i"}, {"y"}, {A("axis", 2)})},
       text,
       {"1", "3", "1"},
       "f32[N,3,1]"},
      {"a reason of its own",
       {Node("DynamicQuantizeLinear", {"x"}, {"q", "s", "z"}),
        Node("DequantizeLinear", {"q", "s", "z"}, {"y"})},
       text,
       text,
       "node q (DynamicQuantizeLinear): its scale is of all samples"},
  };
  for (const Case& c : cases) {
    const std::string result = ResultOf(c);
    EXPECT_TRUE(result.starts_with(c.freed)) << c.what << ": " << result;
  }
}

TEST(FreeBatch, EveryOperatorHasARuleOrAReason) {
  for (const ops::OpDef* op : ops::AllOps()) {
    if (op->name.starts_with("pare.")) continue;
    EXPECT_NE(HasBatchRule(op->name), !WhyNoBatchRule(op->name).empty()) << op->name;
  }
}

}  // namespace
}  // namespace pare::onnx
